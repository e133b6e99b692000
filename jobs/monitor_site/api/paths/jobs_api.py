"""Jobs: find them, and all about one."""

from __future__ import annotations

from typing import Annotated

from .... import monitor
from ... import job_detail
from ...options import redis
from ...query import LONGEST, parse
from ...request_args import not_found
from ...viewers import reader_zone
from ..answers import Rows
from ..endpoints import read
from ..given import Cursor, Given, Limit

Query = Annotated[str, Given("A query line, such as `task:shop.* state:failed took:>2s since:1h`.", LONGEST)]
MOST_STEPS = 4


@read("/jobs")
async def jobs(q: Query = "", cursor: Cursor = "", limit: Limit = 50) -> monitor.Page[monitor.JobRow]:
    """The jobs that fit a query. A search that takes long ends early, with fewer rows and a `next`."""
    wanted = parse(q).wanted(await monitor.now(redis()), reader_zone())
    rows = list[monitor.JobRow]()
    for _ in range(MOST_STEPS):
        page = await monitor.find(redis(), wanted, cursor=cursor, limit=limit - len(rows))
        rows, cursor = rows + page.rows, page.next
        if not cursor or len(rows) == limit:
            break
    return monitor.Page(rows, cursor, page.looked_back_to, page.sorted_of)


@read("/jobs/{id}")
async def job(id: str) -> job_detail.JobDetail:
    """All that is known of one job."""
    return await job_detail.job(redis(), id) or not_found()


@read("/jobs/{id}/why")
async def job_why(id: str) -> Rows[monitor.Reason]:
    """Why it has not started: every reason that holds it back now."""
    return Rows(await monitor.why(redis(), id))
