"""The schedules. Pause, resume, delete or forget one, run it now or for moments that have passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ... import model, request_args
from ...acting import Action
from ...actions import of_schedules
from ...options import given, redis
from ...schedule_words import in_words
from ...web.messages import Refused, WrongInput
from ..endpoints import read, write
from ..given import Cursor, Given, Limit

Text = Annotated[str, Given("A text in the name.")]
Moment = Annotated[str, Given("A time in ISO 8601: `2026-12-01T10:30Z`. Without a zone it is the viewer's.", 100)]


@dataclass(frozen=True)
class ScheduleDetail:
    """A schedule, and how its last run went."""

    schedule: model.ScheduleInfo
    in_words: str  # When it is due: `weekdays at 09:00 (Europe/Berlin)`.
    last: model.JobRow | None  # The job of its last run, if that is still known.


@dataclass(frozen=True)
class ScheduleRows:
    rows: list[ScheduleDetail]
    next: str  # The `cursor` of the page that follows; '' if this is the last one.
    total: int


@read("/schedules")
async def schedules(text: Text = "", cursor: Cursor = "", limit: Limit = 100) -> ScheduleRows:
    """Those that workers declare, by name, then the stored ones, the next one first."""
    start = request_args.whole(cursor)
    names, total = await model.schedule_names(redis(), text, start, limit)
    found = await model.schedules_named(redis(), names)
    last = await model.rows_of(redis(), [one.last_id for one in found if one.last_id])
    jobs, following = {row.id: row for row in last}, start + len(names)
    rows = [ScheduleDetail(one, in_words(one.when), jobs.get(one.last_id)) for one in found]
    return ScheduleRows(rows, str(following) if following < total else "", total)


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


@write("/schedules/{name}/delete")
async def delete_schedule(name: str) -> Action:
    """Delete a stored schedule. What it has called stays."""
    return of_schedules.delete(name)


@write("/schedules/{name}/backfill")
async def backfill_schedule(name: str, since: Moment, until: Moment) -> Action:
    """Run it now for each moment in a span of time for which it has not run; answers for how many."""
    _refuse_where_a_page_asks(name)
    ends = {"since": request_args.moment(since), "until": request_args.moment(until)}
    if missing := [end for end, moment in ends.items() if moment is None]:
        raise WrongInput("no-such-time", f"{missing[0]} is empty: give a time.")
    return of_schedules.backfill(name, **ends)  # type: ignore[arg-type]


@write("/schedules/{name}/run")
async def run_schedule(name: str) -> Action:
    """Run it now; the job's id is answered. Refused where a page of the application asks something first."""
    _refuse_where_a_page_asks(name)
    return of_schedules.run(name)


def _refuse_where_a_page_asks(name: str) -> None:
    if question := given().questions.get(name):
        raise Refused("asks", f"A page asks something before this schedule runs: {question}")
