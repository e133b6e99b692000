"""What waits in a queue, read page by page while it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from jobs import Signature, connect
from jobs.client.connection import JobsRedis
from jobs.monitor_site.model.queue_list import READ_AT_ONCE, waiting
from jobs.store.keys import Keys


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    async with connect(redis_url) as connection:
        yield connection


async def test_every_job_is_seen_once_whatever_its_time(connection: JobsRedis) -> None:
    same_time = datetime.now(UTC) + timedelta(hours=1)
    due = await connection.submit_many([Signature("waiting.task")] * (READ_AT_ONCE + 7), {})
    later = await connection.submit_many([Signature("waiting.task")] * (2 * READ_AT_ONCE + 3), {"eta": same_time})
    last = await connection.submit_many([Signature("waiting.task")], {"eta": same_time + timedelta(seconds=1)})

    async def ids(which: str) -> list[str]:
        return [job.id async for job in waiting(connection, "default", which)]

    assert sorted(await ids("due")) == sorted(result.id for result in due)
    assert sorted(await ids("later")) == sorted(result.id for result in [*later, *last])
    assert sorted(await ids("all")) == sorted(result.id for result in [*due, *later, *last])
    assert (await ids("all"))[-1] == last[0].id


async def test_what_is_claimed_meanwhile_makes_none_be_passed_over(connection: JobsRedis) -> None:
    results = await connection.submit_many([Signature("waiting.task")] * (2 * READ_AT_ONCE), {})
    seen = []

    async for job in waiting(connection, "default", "due"):
        seen.append(job.id)
        if len(seen) == READ_AT_ONCE:  # the whole first page is claimed: its scores move behind all others
            future = 2**42
            await connection.zadd(Keys.QUEUE, dict.fromkeys(seen, future))

    assert sorted(seen) == sorted(result.id for result in results)
