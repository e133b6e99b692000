"""The schedules. Pause, resume and forget one, or run it now."""

from __future__ import annotations

from dataclasses import dataclass

from ... import model
from ...acting import Action
from ...actions import of_schedules
from ...options import given, redis
from ...schedule_words import in_words
from ...web.messages import Refused
from ..answers import Rows
from ..endpoints import read, write


@dataclass(frozen=True)
class ScheduleDetail:
    """A schedule, and how its last run went."""

    schedule: model.ScheduleInfo
    in_words: str  # When it is due: `weekdays at 09:00 (Europe/Berlin)`.
    last: model.JobRow | None  # The job of its last run, if that is still known.


@read("/schedules")
async def schedules() -> Rows[ScheduleDetail]:
    """Every schedule that a worker has ever declared, by name."""
    found = await model.schedules(redis())
    last = await model.rows_of(redis(), [one.last_id for one in found if one.last_id])
    jobs = {row.id: row for row in last}
    return Rows([ScheduleDetail(one, in_words(one.when), jobs.get(one.last_id)) for one in found])


@write("/schedules/{name}/pause")
async def pause_schedule(name: str) -> Action:
    """Have its runs skipped until it is resumed."""
    return of_schedules.pause(name)


@write("/schedules/{name}/resume")
async def resume_schedule(name: str) -> Action:
    """Have it run again, at its next time."""
    return of_schedules.resume(name)


@write("/schedules/{name}/forget")
async def forget_schedule(name: str) -> Action:
    """Forget a schedule that is no longer in the code."""
    return of_schedules.forget(name)


@write("/schedules/{name}/run")
async def run_schedule(name: str) -> Action:
    """Run it now; the job's id is answered. Refused where a page of the application asks something first."""
    if question := given().questions.get(name):
        raise Refused("asks", f"A page asks something before this schedule runs: {question}")
    return of_schedules.run(name)
