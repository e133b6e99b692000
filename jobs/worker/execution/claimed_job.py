"""One claimed job, and its outcome."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import TaskRevoked

STARTED = "STARTED"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
RETRY = "RETRY"
PENDING = "PENDING"
PARKED = "PARKED"  # A workflow that waits for its members and is parked: it is due again when one ends.
UNKNOWN_AGAIN_S = 5  # How long a job with an unknown task is put back: a newer worker may know it.


@dataclass(slots=True)
class ClaimedJob:
    """A row of claim.lua, with the token that owns it. Times are milliseconds by Redis' clock."""

    id: str
    queue: str
    payload: bytes
    token: str = ""
    started: float = 0.0  # Monotonic seconds when this worker received it.
    attempts: int = 1
    due: int = 0
    enqueued: int = 0
    received: int = 0
    verdict: str = ""  # Why it must end instead of running: missing, revoked, expired, poison; '' if it may run.
    retries: int = 0
    crashes: int = 0
    lapsed: int = 0  # 1: its last worker died with it, or lost its lease.
    unknown_since: int = 0  # When a worker first did not know its task; 0 if none has looked.
    suspect: int = 0
    is_member: int = 0  # 1: it belongs to a workflow: its result goes into the journal there.

    @property
    def wait_ms(self) -> int:
        """From due to received; -1 of a job without a due time, which a stock producer called."""
        return max(self.received - max(self.due, self.enqueued), 0) if self.due else -1

    def now_s(self) -> float:
        """Seconds since 1970 by Redis' clock: when it was received, and how long ago that is."""
        return self.received / 1000 + time.monotonic() - self.started


@dataclass(slots=True, eq=False)
class CallData:
    """What is to be called: the payload, decoded."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    job_try: int | None = None
    enqueued: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)  # What follows: `link` and `link_error`, as stored trees.
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # Its arguments are left out, see `inert_call`.


@dataclass(slots=True)
class Outcome:
    """How one attempt ended. `value` is the result, or the exception; `why` goes into the job's log of attempts."""

    state: str
    value: Any = None
    delay_s: float = 0
    why: str = ""
    keep_s: float | None = None  # Seconds to keep the result; None: as long as the worker keeps results.
    ignored: bool = False  # The result of a success is not stored.
    unknown_since: int = 0
    members_seen: int = 0  # Of a parked workflow: how many of its members had ended when it looked.
    by_member: bool = False  # A workflow failed because a member did: that is logged, counted and listed already.

    @property
    def ends(self) -> bool:
        return self.state in (SUCCESS, FAILURE, REVOKED)


def revoked(job_id: str, when: str = "") -> Outcome:
    return Outcome(REVOKED, TaskRevoked(f"job {job_id} was revoked{when}"), why="revoked")
