"""The id of a job that a schedule calls has the moment in it: `sched:report:42:1767254400000`."""

import re
from datetime import datetime

from .stored_values import moment_of

_OF_A_MOMENT = re.compile(r"sched:(.+):([0-9]{12,15})(?:~[0-9]+)?(?:::.*)?", re.DOTALL)


def job_id(name: str, moment: datetime) -> str:
    """The id of the job that the schedule *name* calls, or has called, for *moment*."""
    return f"sched:{name}:{round(moment.timestamp() * 1000)}"


def moment_in(job_id: str) -> tuple[str, datetime] | None:
    """The schedule and the moment that such a job, a member, a callback or a run again of it was called for."""
    found = _OF_A_MOMENT.fullmatch(job_id)
    return (found[1], moment_of(found[2])) if found else None
