"""Jobs: find them, and all about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ... import job_detail, model
from ...acting import Action
from ...actions import of_events, of_jobs
from ...job_count import count
from ...model.search import row_of
from ...options import redis
from ...query import LONGEST, parse
from ...request_args import not_found
from ...viewers import reader_zone
from ..answers import Rows
from ..endpoints import read, write
from ..given import Cursor, Given, Limit

Query = Annotated[str, Given("A query line, such as `task:shop.* state:failed took:>2s since:1h`.", LONGEST)]
Terminate = Annotated[bool, Given("Stop the attempt that runs; else it ends, and no further one starts.")]
When = Annotated[str, Given("The new time in ISO 8601: `2026-12-01T10:30Z`. Without a zone it is the viewer's.", 100)]
Event = Annotated[str, Given("The name of the event.")]
Value = Annotated[Any, Given("What `wait_for_event` returns.")]
Note = Annotated[str, Given("Why, for those who look.", of_events.NOTE_CHARS)]
Approved = Annotated[bool, Given("false rejects.")]
StepField = Annotated[str, Given("`field` of the step from which on it runs again.", 1_000)]
MOST_STEPS, COUNT_S = 4, 1.0


@read("/jobs")
async def jobs(q: Query = "", cursor: Cursor = "", limit: Limit = 50) -> model.Page[model.JobRow]:
    """The jobs that fit a query. A search that takes long ends early, with fewer rows and a `next`."""
    wanted = parse(q).wanted(await model.now(redis()), reader_zone())
    rows = list[model.JobRow]()
    for _ in range(MOST_STEPS):
        page = await model.find(redis(), wanted, cursor=cursor, limit=limit - len(rows))
        rows, cursor = rows + page.rows, page.next
        if not cursor or len(rows) == limit:
            break
    return model.Page(rows, cursor, page.looked_back_to, page.sorted_of)


@dataclass(frozen=True)
class JobCount:
    count: int
    is_all: bool  # False: there may be more.


@read("/job-count")
async def job_count(q: Query = "") -> JobCount:
    """How many jobs fit a query: up to 10,000, and as many as a second is enough to count."""
    wanted = parse(q).wanted(await model.now(redis()), reader_zone())
    return JobCount(*await count(redis(), wanted, patience_s=COUNT_S))


@read("/jobs/{id}")
async def job(id: str) -> job_detail.JobDetail:
    """All that is known of one job."""
    return await job_detail.job(redis(), id) or not_found()


@read("/jobs/{id}/why")
async def job_why(id: str) -> Rows[model.Reason]:
    """Why it has not started: every reason that holds it back now."""
    reasons = await model.why(redis(), id)
    return Rows(not_found() if reasons[0].code == "unknown" else reasons)


@read("/jobs/{id}/steps")
async def job_steps(id: str) -> Rows[model.StepRow]:
    """What is recorded of a job with steps, in the order of recording."""
    return Rows(await model.steps(redis(), id) or ([] if await row_of(redis(), id) else not_found()))


@read("/awaiting")
async def awaiting() -> Rows[model.Awaiting]:
    """The jobs that wait for an event, those that wait longest first."""
    return Rows(await model.awaiting(redis()))


@write("/jobs/{id}/events")
async def send_event(id: str, name: Event, value: Value = None, note: Note = "") -> Action:
    """Give an event to a job that has not ended."""
    return of_events.send(id, name, value, note)


@write("/jobs/{id}/answer")
async def answer_job(id: str, name: Event, approved: Approved, note: Note = "") -> Action:
    """Approve or reject: the job gets `{"approved": ..., "by": ..., "note": ...}`, as from the page."""
    return of_events.answer(id, name, approved, note)


@write("/jobs/{id}/run-from")
async def run_job_from(id: str, step: StepField) -> Action:
    """Run a job again as a new one that has what was recorded before this step."""
    return of_events.run_from(id, step)


@write("/jobs/{id}/retry")
async def retry_job(id: str) -> Action:
    """Run a job again that failed or was revoked: as a new job, whose id is answered. A workflow goes on as itself, as
    does a job with steps."""
    return of_jobs.retry(id)


@write("/jobs/{id}/revoke")
async def revoke_job(id: str, terminate: Terminate = False) -> Action:
    """Have a job never start, or not again."""
    return of_jobs.revoke(id, terminate)


@write("/jobs/{id}/reschedule")
async def reschedule_job(id: str, when: When) -> Action:
    """Move a job that waits to another time."""
    return of_jobs.reschedule(id, when)
