"""Counters of each minute and of all time, and the figures that are made of them."""

from __future__ import annotations

import pytest

from jobs import group
from jobs.client.connection import JobsRedis
from jobs.monitor import last_minutes, minutes, overview, percentile, totals
from jobs.store.keys import Keys
from jobs.store.store import now_ms
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks
from tests.waiting import wait_until

MINUTE_MS = 60_000


async def test_ends_are_counted_by_minute_by_task_and_for_ever(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    await (await group(tasks.log.s(n) for n in range(5)).delay()).get(timeout=10)
    for result, state in ((await tasks.fail.delay(), "FAILURE"), (await tasks.flaky.delay(1), "SUCCESS")):
        await reach(result, state)
    await reach(await tasks.patient.delay(), "RETRY")
    await (await tasks.log.apply_async(("never",), countdown=60)).revoke()

    [*before, now] = await minutes(connection, 3)
    if not now.succeeded:  # a minute has begun meanwhile
        now = before[-1]
    counted = (now.succeeded, now.failed, now.retried, now.revoked)
    assert counted == (7, 1, 2, 1)  # the workflow itself counts, too
    assert now.wait_p50 is not None and now.run_p95 is not None  # noqa: PT018
    assert 0 <= now.wait_p50 <= 10
    of_fail = [minute for minute in await minutes(connection, 3, "tests.fail") if minute.failed]
    assert [(minute.failed, minute.succeeded) for minute in of_fail] == [(1, 0)]
    for counts in (await last_minutes(connection, 3), await totals(connection)):
        assert counts["tests.log"].states == {"SUCCESS": 5, "REVOKED": 1}
        assert counts[""].states == {"SUCCESS": 7, "FAILURE": 1, "RETRY": 2, "REVOKED": 1}
        assert counts[""].failure_share == 1 / 8
        assert sum(counts[""].run.values()) == 8
        assert counts[""].run_ms >= counts["tests.log"].run_ms


async def test_a_minute_without_anything_is_empty_and_not_missing(connection: JobsRedis) -> None:
    empty = await minutes(connection, 5)

    assert len(empty) == 5
    assert (empty[0].at - empty[-1].at).total_seconds() == -240
    assert {(m.succeeded, m.wait_p50, m.run_p95, m.due, m.oldest_due_s) for m in empty} == {(0, None, None, None, None)}


async def test_workers_note_how_much_is_due(connection: JobsRedis, start_online: StartOnline) -> None:
    await connection.sadd(Keys.PAUSED, "default")
    for _ in range(3):
        await tasks.log.delay("x")
    await connection.set(Keys.CLOCK, 2 * MINUTE_MS)
    await start_online()

    async def noted() -> bool:
        return any(minute.due == 3 for minute in await minutes(connection, 2))

    await wait_until(noted, "the depth to be noted")
    latest = [minute for minute in await minutes(connection, 2) if minute.due][-1]
    assert latest.oldest_due_s is not None
    assert 119 <= latest.oldest_due_s <= 180
    assert await last_minutes(connection, 2) == {}
    await connection.delete(Keys.PAUSED)


async def test_workers_note_how_much_is_due_where_nobody_serves(
    connection: JobsRedis, start_online: StartOnline
) -> None:
    """And the overview names those queues: all but those that are paused, or empty, or hold what comes later."""
    for _ in range(3):
        await tasks.log.apply_async(("x",), queue="nobodys")
    await tasks.log.apply_async(("x",), queue="later", countdown=3600)
    await tasks.log.apply_async(("x",), queue="paused")
    await connection.sadd(Keys.PAUSED, "paused")
    await connection.set(Keys.CLOCK, 2 * MINUTE_MS)
    await start_online()

    async def noted() -> bool:
        return any(minute.due == 4 for minute in await minutes(connection, 2))

    await wait_until(noted, "the depth to be noted")
    latest = [minute for minute in await minutes(connection, 2) if minute.due][-1]
    assert latest.oldest_due_s is not None
    assert 119 <= latest.oldest_due_s <= 180
    now = await overview(connection)
    assert now.unserved == ("nobodys",)
    assert now.oldest_due_s >= 119
    await connection.delete(Keys.PAUSED)


async def test_the_overview(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    for n in range(4):
        await tasks.log.apply_async((n,), countdown=3600)
    nobodys = await tasks.log.apply_async(("x",), queue="mail")
    await connection.sadd(Keys.PAUSED, "mail")
    await start_online(MAX_JOBS="7")
    running = await tasks.nap.delay(30)
    await (await tasks.log.delay("x")).get(timeout=10)
    await reach(await tasks.fail.delay(), "FAILURE")
    await reach(running, "STARTED")

    async def told() -> bool:
        return (await overview(connection)).busy == 1

    await wait_until(told, "the worker to say that it is busy")
    now = await overview(connection)
    assert (now.workers, now.quiet, now.slots, now.running, now.due, now.scheduled) == (1, 0, 7, 1, 1, 4)
    assert (now.succeeded_last_hour, now.failed_last_hour) == (1, 1)
    assert now.per_s == 2 / 60
    assert now.paused == ("mail",)
    assert now.oldest_due_s > 0
    assert await nobodys.state() == "PENDING"
    await connection.delete(Keys.PAUSED)


async def test_old_minutes_do_not_count(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    await (await tasks.log.delay("x")).get(timeout=10)
    await connection.set(Keys.CLOCK, 61 * MINUTE_MS)

    assert (await overview(connection)).succeeded_last_hour == 0
    assert (await totals(connection))[""].states["SUCCESS"] == 1
    assert await now_ms(connection) > 0


async def test_the_sums_that_earlier_releases_wrote_are_not_counted_twice(connection: JobsRedis) -> None:
    written = {"a|b|SUCCESS": 2, "c|SUCCESS": 3, "c|run|4": 1, "c|run_ms": 9, "|due|mail": 7, "c|FAILURE": "x"}
    sums = {"|SUCCESS": 4, "|run|4": 1, "|run_ms": 9}  # the last one of them was not written by an earlier release
    await connection.hset(Keys.TOTALS, mapping=written | sums)

    counts = await totals(connection)

    assert counts["a|b"].states == {"SUCCESS": 2}
    assert counts[""].states == {"SUCCESS": 5, "FAILURE": 0}
    assert (counts[""].run, counts[""].run_ms) == ({4: 1}, 9)
    assert set(counts) == {"", "a|b", "c"}


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.5, None),
        ({0: 10}, 0.5, 0.0005),
        ({3: 10}, 0.5, 0.006),
        ({3: 10}, 1, 0.008),
        ({1: 50, 10: 50}, 0.5, 0.002),
        ({1: 50, 11: 50}, 0.75, 1.536),
    ],
)
def test_percentiles_lie_within_their_bucket(buckets: dict[int, int], share: float, expected: float | None) -> None:
    assert percentile(buckets, share) == expected
