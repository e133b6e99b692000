"""Jobs that wait without a worker, as searches find them and as people answer them."""

from __future__ import annotations

import pytest

from jobs import CurrentJob, monitor, task
from jobs.monitor_site.job_count import count
from jobs.monitor_site.query import parse
from jobs.store.store import now
from jobs.testing import Clock, Workers
from jobs.worker import Worker


@task(name="durable.asleep", bind=True)
async def asleep(self: CurrentJob) -> None:
    await self.sleep(1e6)


@task(name="durable.long", bind=True)
async def long(self: CurrentJob, kind: str) -> None:
    if kind == "child":
        await self.run(asleep.s())
    await (self.sleep(3600) if kind == "sleep" else self.wait_for_event("go"))


@pytest.mark.parametrize("kind", ["sleep", "event", "child"])
async def test_each_search_finds_a_job_that_waits(jobs_worker: Workers, jobs_clock: Clock, kind: str) -> None:
    async with jobs_worker(tasks=[asleep, long]) as worker:
        result = await long.apply_async((kind,), task_id="order:9~2")
        await jobs_clock.advance()
        [[row]] = [(await find_rows(worker, f"{result.id}"))]
        queries = "task:durable.long", "order:9~2 task:durable.long", "order:9~2 since:1h", f"state:{row.state}"
        for query in (*queries, "state:suspended", "state:scheduled task:durable.long", "queue:default 9~2", kind):
            assert [one.id for one in await find_rows(worker, query) if one.task == long.name] == [result.id], query
            assert (await count(worker.pool, parse(query).wanted(jobs_clock.now())))[0] >= 1
        assert not [one for one in await find_rows(worker, "state:running") if one.id == result.id]
        await result.revoke()
        assert not await find_rows(worker, "state:suspended task:durable.long")


async def find_rows(worker: Worker, query: str) -> list[monitor.JobRow]:
    return (await monitor.find(worker.pool, parse(query).wanted(await now(worker.pool)))).rows
