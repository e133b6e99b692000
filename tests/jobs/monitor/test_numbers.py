"""Forecasts of queues, what a version changed, jobs that run too long, and workers that are gone."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import monitor
from jobs import task as declare
from jobs.client.connection import JobsRedis
from jobs.monitor_site import compare, long_runs, lost_workers, overview, queue_forecasts, versions
from jobs.monitor_site.forecasting import growth_of
from jobs.store.keys import Keys
from jobs.store.store import now_ms
from tests.jobs.commands.conftest import Cli, cli
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.monitor.written_minutes import note_depths
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

__all__ = ["cli"]


@given(st.integers(0, 10_000), st.floats(-500, 500), st.floats(0.01, 1), st.integers(2, 60))
def test_what_grows_evenly_grows_by_that(first: int, slope: float, part: float, known: int) -> None:
    ends = [*range(-58, 1), part]
    depths = [round(first + 70 * abs(slope) + slope * end) for end in ends]
    seen = [None if n < 60 - known else depth for n, depth in enumerate(depths)]

    growth = growth_of(seen, part)

    if known == 2 and part < 0.5:
        assert growth is None  # two points within half a minute
    else:
        assert growth == pytest.approx(slope, abs=1.1 / max(part, 0.5))


@given(st.integers(0, 200), st.integers(1_000, 100_000), st.floats(0, 1), st.floats(0, 0.5), st.floats(0.01, 20))
def test_a_burst_is_no_growth(before: int, burst: int, took: float, drains: float, ago: float) -> None:
    """Steady at first; some minutes ago much came within a minute, and workers take it away since."""

    def depth(at: float) -> int:
        came = burst if took == 0 and at >= -ago else min(max((at + ago) / (took or 1), 0), 1) * burst
        return round(before + came - max(at + ago, 0) * drains * burst / 20)

    part = ago % 1 or 0.5
    growth = growth_of([*(depth(minute - part) for minute in range(-58, 1)), depth(0)], part)

    assert growth is None or growth <= 1 / max(part, 0.5)


@pytest.mark.parametrize(
    ("before", "paused", "words"),
    [
        ((8, 16, 24, 32), False, "grows by "),
        ((0, 0, 0), False, "too new to tell"),
        ((900, 600, 300), False, "drains in "),
        ((40, 40, 40), False, "steady"),
        ((), False, "too new to tell"),
        ((8, 16, 24), True, " (command line) since 2"),
    ],
)
async def test_a_queue_says_where_it_goes(
    connection: JobsRedis, start_worker: StartWorker, cli: Cli, before: tuple[int, ...], paused: bool, words: str
) -> None:
    await note_depths(connection, *before)
    await start_worker(max_jobs=1, lease_renewal=0.1)
    if paused:
        await cli("control", "pause", "default")
    await tasks.nap.apply_many([(60,)] * 41)

    async def starts() -> bool:
        [one] = await queue_forecasts(connection)
        return one.slots == 1 and one.queue.due == (41 if paused else 40) and one.queue.running == (not paused)

    await wait_until(starts, "the first one to run")
    [line] = (await cli("queues")).lines
    assert line.startswith("default: 4")
    assert words in line, line
    [one] = (await cli("queues", "--json")).json
    assert (one["slots"], one["queue"]["due"]) == (1, 41 if paused else 40)
    if words == "grows by ":
        slots = round(one["growth"] / 60 * 2 + 0.5)  # each runs for 2 s
        assert line.endswith(f": {slots} more slot{'s' if slots > 1 else ''} would hold it")
        assert one["run_s"] == 2
        assert one["into"] == pytest.approx(one["growth"] + one["out"])
    await connection.delete(Keys.PAUSED)


async def test_jobs_that_a_limit_holds_are_named_and_no_slot_is_asked_for(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    @declare(name="tests.one_by_one", max_concurrency=1)
    async def one_by_one() -> None:
        await asyncio.sleep(60)

    await note_depths(connection, 0, 0, 12)
    await start_worker(tasks=[one_by_one, tasks.nap], max_jobs=3)
    await one_by_one.apply_many([()] * 6)

    async def held() -> bool:
        [one] = await queue_forecasts(connection)
        return one.held == 5

    await wait_until(held, "five to wait for the first")
    [one] = await queue_forecasts(connection)
    assert (one.slots_short, one.words) == (0, "nothing else waits; 5 jobs held by a limit")


async def test_a_worker_whose_loop_is_blocked_reports_how_late_it_is(
    connection: JobsRedis, start_online: StartOnline
) -> None:
    await start_online()
    blocking = await tasks.block.delay(3)

    async def late() -> bool:
        [worker] = await monitor.workers(connection)
        return worker.lag_ms > 500

    await wait_until(late, "the worker to report its blocked loop")
    assert await blocking.get(timeout=10) == "blocked"


async def test_the_time_that_tasks_take_is_not_counted_again_as_that_of_workflows(
    connection: JobsRedis, cli: Cli
) -> None:
    await note_depths(connection, 1, 1)

    for sort in ("time", "p95"):
        first, *others = (await cli("tasks", "--sort", sort)).lines
        assert first == "tests.nap: 60 succeeded, 0 failed, p50 ~1.5 s, p95 ~2.0 s, 100% of run time"
        assert [line for line in others if line.startswith("jobs.workflow:")] == [
            "jobs.workflow: 18 succeeded, 0 failed, -, 0% of run time"
        ]


async def test_a_time_of_day_is_local(connection: JobsRedis, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    await note_depths(connection, *[0] * 30)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        ten_ago = datetime.now() - timedelta(minutes=10)
        found = (await cli("tasks", "--since", f"{ten_ago:%H:%M}", "--json")).json
    finally:
        monkeypatch.undo()
        time.tzset()

    [nap] = [one for one in found if one["name"] == "tests.nap"]
    assert 9 * 30 <= nap["count"]["states"]["SUCCESS"] <= 12 * 30


async def test_the_first_worker_of_a_version_marks_it(
    connection: JobsRedis, start_online: StartOnline, start_worker: StartWorker, cli: Cli
) -> None:
    await start_online(SENTRY_RELEASE="shop@1")
    await start_online(SENTRY_RELEASE="shop@1", JOBS_VERSION="2")
    for version in ("3", "2"):
        await start_worker(version=version, lease_renewal=0.1)

    async def marked() -> list[str]:
        found = [one.name for one in await versions(connection)]
        return found if len(found) == 3 else []

    assert await wait_until(marked, "all to be marked") == ["3", "2", "shop@1"]
    said = await cli("inspect", "conf", "--json")
    assert sorted(worker["version"] for worker in said.json.values()) == ["2", "2", "3", "shop@1"]
    await connection.zadd(Keys.VERSIONS, {f"old {n}": n for n in range(100)})
    await start_worker(version="4", lease_renewal=0.1)

    async def bounded() -> bool:
        return await connection.zcard(Keys.VERSIONS) == 100

    await wait_until(bounded, "the oldest to be forgotten")
    assert [one.name for one in await versions(connection)][:4] == ["4", "3", "2", "shop@1"]


async def test_before_and_after_a_version(connection: JobsRedis, cli: Cli) -> None:
    """What became worst comes first; of both times as many minutes count, not the one in which the version came."""
    ms = await now_ms(connection)
    marked = ms // 60_000 - 20
    await connection.zadd(Keys.VERSIONS, {"2": marked * 60_000 + 5_000, "1": 1_000})
    kinds = {  # run buckets and failures of a minute, before and after
        "slower": ({"run|5": 10, "SUCCESS": 10}, {"run|8": 10, "SUCCESS": 10}),
        "failing": ({"run|5": 10, "SUCCESS": 10}, {"run|5": 10, "SUCCESS": 9, "FAILURE": 1}),
        "same": ({"run|5": 10, "SUCCESS": 10}, {"run|5": 10, "SUCCESS": 10}),
        "better": ({"run|8": 10, "SUCCESS": 10}, {"run|5": 10, "SUCCESS": 10}),
        "new": ({}, {"run|5": 10, "SUCCESS": 10}),
    }
    for minute in range(marked - 25, ms // 60_000 + 1):
        for task, both in kinds.items():
            counted = {"FAILURE": 500} if minute == marked or minute < marked - 20 else both[minute > marked]
            for what, n in counted.items():
                await connection.hset(f"{Keys.STATS}{minute}", f"{task}|{what}", n)
                await connection.expire(f"{Keys.STATS}{minute}", 60)

    found = await compare(connection)

    assert found
    assert (found.version.name, found.minutes, found.missing) == ("2", 20, 0)
    assert (found.counted_before, found.counted_since) == (20, 20)
    assert int(found.begin.timestamp()) == (marked - 20) * 60
    assert [change.task for change in found.changes] == ["slower", "failing", "same", "better", "new"]
    slower, failing = found.changes[:2]
    assert (slower.before.jobs, slower.after.jobs, slower.after.failure_share) == (200, 200, 0)
    assert (failing.before.failure_share, failing.after.failure_share) == (0, 0.1)
    text = (await cli("versions")).lines
    assert text[0].startswith("2: since 2")
    assert text[3].startswith("  slower: p95 ~31 ms -> ~250 ms, failing 0.0% -> 0.0%")
    assert (await cli("versions", "nobody's")).code == 1
    assert (await compare(connection, "1")) is not None
    await connection.delete(*(f"{Keys.STATS}{minute}" for minute in range(marked - 20, marked - 2)))
    part = await compare(connection)
    assert part
    assert (part.minutes, part.counted_before, part.counted_since) == (20, 2, 20)
    assert (await cli("versions")).lines[2].startswith("2, 2 of 20 minutes before and 20 since, the others")


async def test_a_job_that_runs_much_longer_than_usual_and_a_worker_that_is_gone(
    connection: JobsRedis, start_online: StartOnline, reach: Reach, cli: Cli
) -> None:
    await note_depths(connection, 0)  # the p95 of tests.nap is 2 s; nothing is known of the other one
    dies = await start_online(LEASE="60")
    stuck, other = await tasks.nap.delay(600), await tasks.block_until.delay("/never")
    for result in (stuck, other):
        await reach(result, "STARTED")
    assert await long_runs(connection) == []
    await connection.set(Keys.CLOCK, 20_000)

    [run] = await long_runs(connection)
    assert (run.id, run.task, run.usual_s) == (stuck.id, "tests.nap", pytest.approx(2, abs=0.1))
    assert 20 <= run.run_s < 40
    assert await long_runs(connection, "nobody") == []

    async def shown() -> Any:
        return [line for line in (await cli("status")).lines if stuck.id in line]

    [line] = await wait_until(shown, "the worker to be back")
    assert "runs for 2" in line
    assert await lost_workers(connection) == []
    dies.process.kill()
    await connection.set(Keys.CLOCK, 60_000)

    [lost] = await lost_workers(connection)
    assert (lost.worker.running, len(lost.waiting)) == (2, 2)
    assert "held 2 jobs, 2 still wait" in (await cli("inspect", "lost")).out
    assert [one.worker.name for one in (await overview(connection)).lost] == [lost.worker.name]
    await connection.set(Keys.CLOCK, 3_700_000)
    assert await lost_workers(connection) == []


async def test_a_worker_that_said_goodbye_is_not_lost(connection: JobsRedis, start_online: StartOnline) -> None:
    ends = await start_online()
    ends.process.terminate()
    await ends.wait_until_ended()
    await connection.set(Keys.CLOCK, 60_000)

    assert await lost_workers(connection) == []
