"""Counters of each minute and of all time, and the figures that are made of them."""

from __future__ import annotations

from collections import Counter

import pytest

from jobs import group
from jobs.client.connection import JobsRedis
from jobs.monitor import Count, totals
from jobs.monitor_site import history, overview, totals_between
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

    [*before, now] = await history(connection, patience_s=60)
    if not now.count.states["SUCCESS"]:  # a minute has begun meanwhile
        now = before[-1]
    # the workflow itself counts, too
    assert now.count.states == {"SUCCESS": 7, "FAILURE": 1, "RETRY": 2, "REVOKED": 1}
    waited, ran = now.count.percentile("wait", 50), now.count.percentile("run", 95)
    assert waited is not None and ran is not None  # noqa: PT018
    assert 0 <= waited <= 10
    of_fail = [
        minute.count.states for minute in await history(connection, task="tests.fail", patience_s=60) if minute.count
    ]
    assert [states for states in of_fail if states] == [{"FAILURE": 1}]
    this = await now_ms(connection) // MINUTE_MS
    for counts in ((await totals_between(connection, this - 2, this, patience_s=60)).counts, await totals(connection)):
        assert counts["tests.log"].states == {"SUCCESS": 5, "REVOKED": 1}
        assert counts[""].states == {"SUCCESS": 7, "FAILURE": 1, "RETRY": 2, "REVOKED": 1}
        assert counts[""].failure_share == 1 / 8
        assert sum(counts[""].run.values()) == 8
        assert counts[""].ms["run"] >= counts["tests.log"].ms["run"]


async def test_a_minute_without_anything_is_empty_and_not_missing(connection: JobsRedis) -> None:
    empty = await history(connection, patience_s=60)

    assert len(empty) == 60
    assert (empty[0].at - empty[-1].at).total_seconds() == -59 * 60
    assert {(m.count.percentile("wait", 50), m.due, m.oldest_due_s) for m in empty} == {(None, None, None)}
    assert not any(m.count.states for m in empty)


async def test_workers_note_how_much_is_due(connection: JobsRedis, start_online: StartOnline) -> None:
    await connection.sadd(Keys.PAUSED, "default")
    for _ in range(3):
        await tasks.log.delay("x")
    await connection.set(Keys.CLOCK, 2 * MINUTE_MS)
    await start_online()

    async def noted() -> bool:
        return any(minute.due == 3 for minute in (await history(connection, patience_s=60))[-2:])

    await wait_until(noted, "the depth to be noted")
    latest = [minute for minute in (await history(connection, patience_s=60))[-2:] if minute.due][-1]
    assert latest.oldest_due_s is not None
    assert 119 <= latest.oldest_due_s <= 180
    assert not latest.count.states
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
        return any(minute.due == 4 for minute in (await history(connection, patience_s=60))[-2:])

    await wait_until(noted, "the depth to be noted")
    latest = [minute for minute in (await history(connection, patience_s=60))[-2:] if minute.due][-1]
    assert latest.oldest_due_s is not None
    assert 119 <= latest.oldest_due_s <= 180
    now = await overview(connection)
    assert [row.name for row in now.unserved] == ["nobodys"]
    assert now.queues.oldest_due_s >= 119
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
    assert (now.workers, now.quiet, now.slots, now.queues.running, now.queues.due, now.queues.scheduled) == (
        1,
        0,
        7,
        1,
        1,
        4,
    )
    assert now.last_hour.states == {"SUCCESS": 1, "FAILURE": 1}
    assert 0 < now.per_s <= 2 / 60
    assert now.paused == {"mail": None}
    assert now.queues.oldest_due_s > 0
    assert await nobodys.state() == "PENDING"
    await connection.delete(Keys.PAUSED)


async def test_old_minutes_do_not_count(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    await (await tasks.log.delay("x")).get(timeout=10)
    await connection.set(Keys.CLOCK, 61 * MINUTE_MS)

    assert not (await overview(connection)).last_hour.states
    assert (await totals(connection))[""].states["SUCCESS"] == 1
    assert await now_ms(connection) > 0


async def test_the_sums_that_earlier_releases_wrote_are_not_counted_twice(connection: JobsRedis) -> None:
    written = {"a|b|SUCCESS": 2, "c|SUCCESS": 3, "c|run|4": 1, "c|run_ms": 9, "|due|mail": 7, "c|FAILURE": "x"}
    sums = {"|SUCCESS": 4, "|run|4": 1, "|run_ms": 9}  # the last one of them was not written by an earlier release
    await connection.hset(Keys.TOTALS, mapping=written | sums)

    counts = await totals(connection)

    assert counts["a|b"].states == {"SUCCESS": 2}
    assert counts[""].states == {"SUCCESS": 5, "FAILURE": 0}
    assert (counts[""].run, counts[""].ms["run"]) == ({4: 1}, 9)
    assert set(counts) == {"", "a|b", "c"}


@pytest.mark.parametrize(
    ("buckets", "n", "expected"),
    [
        ({}, 50, None),
        ({0: 10}, 50, 0.0005),
        ({3: 10}, 50, 0.006),
        ({3: 10}, 100, 0.008),
        ({1: 50, 10: 50}, 50, 0.002),
        ({1: 50, 11: 50}, 75, 1.536),
    ],
)
def test_percentiles_lie_within_their_bucket(buckets: dict[int, int], n: int, expected: float | None) -> None:
    assert Count(run=Counter(buckets)).percentile("run", n) == expected
