"""Schedules fire: each moment once among all workers, a missed one once and only if it is not too old."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from arq import cron
from redis.asyncio import Redis

from jobs import Result, crontab, every, monitor, task, worker_settings
from jobs.client.connection import JobsRedis
from jobs.errors import SettingsMistake, UnknownSchedule
from jobs.schedules.schedule import Schedule
from jobs.store.keys import Keys
from jobs.worker import Worker
from tests.jobs.key_table import assert_as_documented
from tests.jobs.redis_clock import set_clock
from tests.jobs.worker.conftest import StartWorker, WorkerProcess, stop_at_once
from tests.waiting import wait_until

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SATURDAY = datetime(2026, 3, 7, 10, tzinfo=UTC)
IN_TIME_S = 10  # R20: how soon after a start a missed moment runs

ran: list[str] = []


@task(name="tests.scheduled", bind=True)
async def scheduled(self: Any, text: str = "") -> str:
    ran.append(self.request.id)
    return text


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


def job_id(name: str, moment: datetime) -> str:
    return f"sched:{name}:{round(moment.timestamp() * 1000)}"


async def stop(worker: Worker) -> None:
    await stop_at_once(worker)
    assert worker.main_task is not None
    await asyncio.gather(worker.main_task, return_exceptions=True)


async def kill(worker: WorkerProcess) -> None:
    worker.process.kill()
    await worker.wait_until_ended()


async def run_until(redis: Redis, start_worker: StartWorker, moment: datetime, *schedules: Schedule) -> None:
    """A worker that sees *moment* arrive, runs what is due then, and stops."""
    await set_clock(redis, moment - timedelta(seconds=0.5))
    worker = await start_worker(tasks=[scheduled], cron_jobs=schedules)
    await wait_until(lambda: len(ran) == len(schedules), "the first runs")
    await stop(worker)
    ran.clear()


async def after_a_start(redis: Redis, start_worker: StartWorker, at: datetime, *schedules: Schedule) -> list[str]:
    """What schedules have run once a worker that started at that time has nothing more to do."""
    await set_clock(redis, at)
    await start_worker(tasks=[scheduled], cron_jobs=schedules)
    mark = await scheduled.delay("mark")  # queued after everything that the start has caught up
    await mark.get(timeout=IN_TIME_S)
    return [id for id in ran if id.startswith("sched:")]


# Each moment once (R19)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers", [2, 5])
async def test_each_moment_runs_exactly_once_though_a_worker_stalls_across_it(
    workers: int, start_process: Any, tmp_path: Path
) -> None:
    """Due every 2 s; again and again another worker stands still for 3 s, and takes up what it had in mind."""
    path = tmp_path / "ticks"
    path.touch()
    started = [await start_process(TICK=json.dumps([2, [str(path)]])) for _ in range(workers)]

    for worker in (started[0], started[-1]):
        await asyncio.sleep(1.5 - time.time() % 2 + 2)  # half a second before a moment is due
        os.kill(worker.process.pid, signal.SIGSTOP)
        await asyncio.sleep(3)
        os.kill(worker.process.pid, signal.SIGCONT)
    seen = path.read_text().count("start")
    await wait_until(lambda: path.read_text().count("end") > seen, "the workers to go on")

    lines = path.read_text().splitlines()
    moments = [int(line.split(":")[-1]) for line in lines if line.startswith("start")]
    first = min(moments)
    assert sorted(moments) == [first + 2000 * n for n in range(len(moments))]
    assert len(moments) >= 4


async def test_two_schedules_of_one_task_do_not_share_a_moment(redis: Redis, start_worker: StartWorker) -> None:
    schedules = [
        crontab(scheduled, name="for alice", minute=0, hour=10, args=["alice"]),
        crontab(scheduled, name="for bob", minute=0, hour=10, args=["bob"]),
    ]
    await set_clock(redis, SATURDAY - timedelta(seconds=0.5))
    for _ in range(2):
        await start_worker(tasks=[scheduled], cron_jobs=schedules)

    results = [Result(job_id(schedule.name, SATURDAY)) for schedule in schedules]
    await wait_until(lambda: len(ran) >= 2, "both runs")

    assert [await result.get(timeout=5) for result in results] == ["alice", "bob"]
    assert sorted(ran) == sorted(result.id for result in results)


def test_two_schedules_of_one_name_are_a_mistake() -> None:
    with pytest.raises(SettingsMistake, match=r"'tests\.scheduled': give one another name="):
        worker_settings(
            redis_url="redis://nowhere", tasks=[scheduled], cron_jobs=[crontab(scheduled), every(scheduled, HOUR)]
        )


async def test_a_schedule_of_an_unknown_task_ends_its_worker_before_any_schedule_is_stored(
    start_worker: StartWorker, redis: Redis
) -> None:
    known, unknown = crontab(scheduled, minute=0), crontab("tests.schedulde", minute=0, name="hourly")
    worker = await start_worker(tasks=[scheduled], cron_jobs=[known, unknown])

    assert worker.main_task is not None
    with pytest.raises(SettingsMistake, match=r"schedule 'hourly': no task named 'tests\.schedulde'.* did you mean"):
        await worker.main_task
    assert await redis.keys(f"{Keys.SCHEDULE}*") == []


# Missed moments (R20)


@pytest.mark.parametrize("later", [MINUTE, 3 * HOUR, 8 * DAY - 3 * DAY], ids=["1 min", "3 h", "5 days"])
async def test_a_missed_moment_is_caught_up_once_within_its_window(
    redis: Redis, start_worker: StartWorker, later: timedelta
) -> None:
    """The digest's schedule: Saturday 10:00, six days."""
    digest = crontab(scheduled, name="digest", minute=0, hour=10, day_of_week=6, window=6 * DAY)
    await run_until(redis, start_worker, SATURDAY, digest)
    next_saturday = SATURDAY + 7 * DAY

    assert await after_a_start(redis, start_worker, next_saturday + later, digest) == [job_id("digest", next_saturday)]
    assert await after_a_start(redis, start_worker, next_saturday + later + MINUTE, digest) == [
        job_id("digest", next_saturday)
    ]  # a second worker adds nothing


async def test_what_is_missed_several_times_is_caught_up_once(redis: Redis, start_worker: StartWorker) -> None:
    hourly = crontab(scheduled, name="hourly", minute=0)
    await run_until(redis, start_worker, SATURDAY, hourly)

    assert await after_a_start(redis, start_worker, SATURDAY + 3 * HOUR + MINUTE, hourly) == [
        job_id("hourly", SATURDAY + 3 * HOUR)
    ]


@pytest.mark.parametrize("later", [3 * HOUR, 8 * DAY], ids=["3 h", "8 days"])
async def test_what_was_missed_longer_ago_is_recorded_as_skipped(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, later: timedelta
) -> None:
    """The default window is one hour."""
    monthly = crontab(scheduled, name="monthly", minute=0, hour=10, day_of_month=7)
    await run_until(redis, start_worker, SATURDAY, monthly)
    due = datetime(2026, 4, 7, 10, tzinfo=UTC)

    assert await after_a_start(redis, start_worker, due + later, monthly) == []

    [info] = await monitor.schedules(connection)
    assert (info.skipped, info.last_skipped, info.last_run) == (1, due, SATURDAY)
    assert info.next_run == datetime(2026, 5, 7, 10, tzinfo=UTC)


async def test_a_weekly_one_eight_days_late_runs_for_the_week_that_counts(
    redis: Redis, start_worker: StartWorker
) -> None:
    digest = crontab(scheduled, name="digest", minute=0, hour=10, day_of_week=6, window=6 * DAY)
    await run_until(redis, start_worker, SATURDAY, digest)

    assert await after_a_start(redis, start_worker, SATURDAY + 15 * DAY, digest) == [
        job_id("digest", SATURDAY + 14 * DAY)
    ]


async def test_with_nothing_stored_nothing_fires(redis: Redis, start_worker: StartWorker) -> None:
    """A new schedule, or a Redis that was emptied: nobody knows what has run already."""
    digest = crontab(scheduled, name="digest", minute=0, hour=10, day_of_week=6, window=6 * DAY)

    assert await after_a_start(redis, start_worker, SATURDAY + MINUTE, digest) == []


async def test_a_schedule_is_owed_from_its_first_worker_on(redis: Redis, start_worker: StartWorker) -> None:
    """A worker has known of it, and was down when its first moment came: that one is caught up too."""
    daily = crontab(scheduled, name="daily", minute=0, hour=10)
    await set_clock(redis, SATURDAY - HOUR)
    await stop(await start_worker(tasks=[scheduled], cron_jobs=[daily]))

    assert await after_a_start(redis, start_worker, SATURDAY + MINUTE, daily) == [job_id("daily", SATURDAY)]


async def test_a_redis_emptied_meanwhile_stops_no_schedule(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(tasks=[scheduled], cron_jobs=[every(scheduled, timedelta(seconds=0.5))])
    await wait_until(lambda: ran, "a first run")

    await redis.flushall()
    before = len(ran)
    await wait_until(lambda: len(ran) >= before + 2, "runs after it")

    assert len(set(ran)) == len(ran)
    assert [info.name for info in await monitor.schedules(connection)] == ["tests.scheduled"]


@pytest.mark.timeout(90)
async def test_an_interrupted_run_runs_again(redis: Redis, start_process: Any, tmp_path: Path) -> None:
    """The worker is killed in the middle of a run; another finishes it, under the same id."""
    path = tmp_path / "ticks"
    path.touch()
    environ = {"TICK": json.dumps([3600, [str(path), 1]]), "LEASE": "1.5", "LEASE_RENEWAL": "0.5"}
    await set_clock(redis, SATURDAY - MINUTE)
    knows = await start_process(**environ)
    await wait_until(lambda: redis.exists(Keys.SCHEDULE + "tick"), "the schedule to be known")
    await kill(knows)

    await set_clock(redis, SATURDAY + MINUTE)
    interrupted = await start_process(**environ)
    await wait_until(lambda: "start" in path.read_text(), "the run to start")
    await kill(interrupted)
    await start_process(**environ)
    await wait_until(lambda: "end" in path.read_text(), "the run to end", timeout_s=20)

    id = job_id("tick", SATURDAY)
    assert path.read_text().splitlines() == [f"start {id}", f"start {id}", f"end {id}"]


# What an operator may do


async def test_the_list_says_when_each_ran_and_runs_next(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    schedules = [
        every(scheduled, 30 * MINUTE, name="b", args=["hello"]),
        crontab(scheduled, name="a", minute=0, hour=10, day_of_week="sat", timezone="Asia/Tokyo"),
    ]
    assert await monitor.schedules(connection) == []
    await set_clock(redis, SATURDAY - timedelta(seconds=0.5))
    await start_worker(tasks=[scheduled], cron_jobs=schedules)

    [a, b] = await monitor.schedules(connection)  # both, before any of them has ever run

    assert (a.name, a.task, a.queue, a.paused) == ("a", "tests.scheduled", "default", False)
    assert a.when == "0 10 * * sat (m/h/dM/MY/d) Asia/Tokyo"
    assert (a.last_run, a.last_id, a.skipped, a.last_skipped) == (None, "", 0, None)
    assert a.next_run == SATURDAY + 7 * DAY - 9 * HOUR
    assert (b.when, b.next_run) == ("every 0:30:00", SATURDAY)
    await wait_until(lambda: ran, "the run")
    [_, b] = await monitor.schedules(connection)
    assert (b.last_run, b.next_run) == (SATURDAY, SATURDAY + 30 * MINUTE)
    assert await Result(b.last_id).get(timeout=5) == "hello"


async def test_a_paused_schedule_passes_its_moments_and_goes_on_when_resumed(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(tasks=[scheduled], cron_jobs=[every(scheduled, timedelta(seconds=0.3), name="often")])
    await wait_until(lambda: ran, "a run")

    await monitor.pause_schedule(connection, "often")
    last = (await monitor.schedules(connection))[0].last_id

    async def passed() -> bool:
        return (await monitor.schedules(connection))[0].skipped >= 3

    await wait_until(passed, "moments to pass")
    [info] = await monitor.schedules(connection)
    assert (info.paused, info.last_id) == (True, last)

    await monitor.resume_schedule(connection, "often")
    await wait_until(lambda: ran[-1] != last, "a run after it")
    [info] = await monitor.schedules(connection)
    assert not info.paused
    assert len(set(ran)) == len(ran)


async def test_what_was_due_while_paused_is_not_caught_up(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Not by a worker that starts while it is paused, and not by one that starts after."""
    hourly = crontab(scheduled, name="hourly", minute=0)
    await run_until(redis, start_worker, SATURDAY, hourly)
    await monitor.pause_schedule(connection, "hourly")

    assert await after_a_start(redis, start_worker, SATURDAY + HOUR + MINUTE, hourly) == []
    await set_clock(redis, SATURDAY + 2 * HOUR + MINUTE)
    await monitor.resume_schedule(connection, "hourly")
    assert await after_a_start(redis, start_worker, SATURDAY + 2 * HOUR + 2 * MINUTE, hourly) == []


async def test_run_now_runs_it_at_once_and_moves_nothing(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    daily = crontab(scheduled, name="daily", minute=0, hour=10, args=["hello"])
    await set_clock(redis, SATURDAY - HOUR)
    await start_worker(tasks=[scheduled], cron_jobs=[daily])
    await monitor.pause_schedule(connection, "daily")

    result = Result(await monitor.run_schedule(connection, "daily"), connection)

    assert await result.get(timeout=5) == "hello"
    [info] = await monitor.schedules(connection)
    assert (info.last_id, info.next_run, info.paused) == (result.id, SATURDAY, True)
    await assert_as_documented(redis)


async def test_run_now_waits_for_a_worker(redis: Redis, connection: JobsRedis, start_worker: StartWorker) -> None:
    daily = crontab(scheduled, name="daily", minute=0, hour=10, args=["hello"])
    await stop(await start_worker(tasks=[scheduled], cron_jobs=[daily]))

    result = Result(await monitor.run_schedule(connection, "daily"), connection)
    assert await result.state() == "PENDING"
    await start_worker(tasks=[scheduled], cron_jobs=[daily])

    assert await result.get(timeout=5) == "hello"


async def test_arq_s_own_cron_jobs_are_listed_and_run_too(connection: JobsRedis, start_worker: StartWorker) -> None:
    async def sweep(ctx: Any) -> None:
        ran.append(ctx["job_id"])

    await start_worker(tasks=[scheduled], cron_jobs=[cron(sweep, name="sweep", hour=3, minute=0)])

    result = Result(await monitor.run_schedule(connection, "sweep"), connection)

    await wait_until(lambda: ran == [result.id], "the run")


async def test_a_name_that_no_worker_has_is_an_error(connection: JobsRedis, start_worker: StartWorker) -> None:
    with pytest.raises(UnknownSchedule, match="there are: none yet"):
        await monitor.pause_schedule(connection, "weekly")
    await start_worker(tasks=[scheduled], cron_jobs=[every(scheduled, HOUR, name="hourly")])

    for steer in (monitor.pause_schedule, monitor.resume_schedule, monitor.run_schedule):
        with pytest.raises(UnknownSchedule, match="'weekly'; there are: hourly"):
            await steer(connection, "weekly")
    assert [info.name for info in await monitor.schedules(connection)] == ["hourly"]


async def test_a_schedule_that_no_worker_has_is_told_as_gone_and_can_be_forgotten(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    stays, goes = (crontab(scheduled, name=name, minute=0, hour=10) for name in ("stays", "goes"))
    await set_clock(redis, SATURDAY - HOUR)
    await stop(await start_worker(tasks=[scheduled], cron_jobs=[stays, goes]))
    [gone, _] = await monitor.schedules(connection)
    assert (gone.name, gone.gone) == ("goes", False)
    assert not await monitor.forget_schedule(connection, "goes")
    await set_clock(redis, SATURDAY - HOUR + 5 * MINUTE)

    await start_worker(tasks=[scheduled], cron_jobs=[stays])

    [gone, there] = await monitor.schedules(connection)
    assert (gone.name, gone.gone, there.name, there.gone) == ("goes", True, "stays", False)
    assert gone.seen is not None
    assert abs(gone.seen - (SATURDAY - HOUR)) < MINUTE
    assert not await monitor.forget_schedule(connection, "stays")
    assert await monitor.forget_schedule(connection, "goes")
    assert [info.name for info in await monitor.schedules(connection)] == ["stays"]
    assert not await redis.exists(f"{Keys.SCHEDULE}goes")
    with pytest.raises(UnknownSchedule):
        await monitor.forget_schedule(connection, "goes")


async def test_a_worker_says_again_that_it_has_its_schedules(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    often = every("tests.scheduled", timedelta(seconds=1), name="often")
    rare = crontab(scheduled, name="rare", minute=0, hour=10)
    await set_clock(redis, SATURDAY - HOUR)
    await start_worker(tasks=[scheduled], cron_jobs=[often, rare])

    await set_clock(redis, SATURDAY - HOUR + 10 * MINUTE)

    async def again() -> bool:
        return not any(info.gone for info in await monitor.schedules(connection))

    await wait_until(again, "the worker to have said so again")


@pytest.mark.parametrize("zone", ["Europe/Berlin", timezone(timedelta(hours=1))], ids=["named", "fixed"])
async def test_schedules_go_by_the_workers_zone(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker, zone: Any
) -> None:
    """Ours, and arq's."""

    async def own(ctx: dict[Any, Any]) -> str:
        ran.append("arq")
        return "arq"

    await set_clock(redis, datetime(2026, 1, 3, 8, 59, 59, 800_000, tzinfo=UTC))
    await start_worker(
        tasks=[scheduled],
        cron_jobs=[crontab(scheduled, name="ours", minute=0, hour=10), cron(own, hour=10, minute=0)],
        timezone=zone,
    )

    await wait_until(lambda: len(ran) == 2, "both to run at 10:00 by the worker's clock")

    assert {"arq", job_id("ours", datetime(2026, 1, 3, 9, tzinfo=UTC))} == set(ran)
    [ours] = [info for info in await monitor.schedules(connection) if info.name == "ours"]
    assert ours.next_run == datetime(2026, 1, 4, 9, tzinfo=UTC)
