"""Fixtures for the tests of applications: a worker in the test, and a clock that can be moved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from jobs import (
    CurrentJob,
    Result,
    Signature,
    chain,
    chord,
    connect,
    crontab,
    current_job,
    every,
    group,
    task,
    worker_settings,
)
from jobs.errors import QuarqError, WrongValue
from jobs.testing import Clock, Workers, enqueued

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
NEARLY = timedelta(seconds=1)

ran: list[tuple[str, datetime]] = []
clock: list[Clock] = []


@pytest.fixture(autouse=True)
def nothing_ran(jobs_clock: Clock) -> None:
    ran.clear()
    clock[:] = [jobs_clock]


@task(name="virtual.note")
async def note(*words: Any) -> Any:
    ran.append((" ".join(map(str, words)), clock[0].now()))
    return words[-1] if words else None


@task(name="virtual.due", bind=True)
async def due(self: CurrentJob) -> None:
    assert self.request.eta is not None
    ran.append(("due", self.request.eta))


@task(name="virtual.flaky", bind=True, max_retries=3, default_retry_delay=3600)
async def flaky(self: CurrentJob, eta_days: float | None = None) -> int:
    ran.append(("flaky", clock[0].now()))
    if self.request.retries < 3:
        eta = None if eta_days is None else clock[0].now() + timedelta(days=eta_days)
        self.retry(exc=OSError("not yet"), eta=eta)
    return self.request.retries


@task(name="virtual.calls")
async def calls() -> list[str]:
    """Waits for jobs, without a slot of its own."""
    later = await note.apply_async(("later",), countdown=DAY.total_seconds())
    return [await later.get(), await (await note.delay("at once")).get()]


@task(name="virtual.stuck")
async def stuck() -> None:
    await asyncio.sleep(30)


@task(name="virtual.again")
async def again(times: int) -> None:
    ran.append((str(times), clock[0].now()))
    if times:
        await again.apply_async((times - 1,), countdown=3600)


@task(name="virtual.hourly", rate_limit="1/h")
async def hourly() -> None:
    ran.append(("hourly", clock[0].now()))


ALL = [note, due, flaky, calls, stuck, hourly, again]


def spans(moments: list[datetime]) -> list[float]:
    """The hours between them."""
    return [round((after - before).total_seconds() / 3600, 1) for before, after in pairwise(moments)]


async def test_a_month_passes_and_each_job_runs_at_its_own_moment(jobs_worker: Workers, jobs_clock: Clock) -> None:
    began = jobs_clock.now()
    async with jobs_worker(tasks=ALL):
        for day in (30, 2, 9):
            await note.apply_async((day,), eta=began + day * DAY)

        await jobs_clock.advance(days=29, hours=23)
        assert [(word, round((at - began) / DAY, 3)) for word, at in ran] == [("2", 2), ("9", 9)]
        await jobs_clock.advance(hours=1)

    assert [(word, round((at - began) / DAY, 3)) for word, at in ran[2:]] == [("30", 30)]
    assert jobs_clock.now() - began - 30 * DAY < timedelta(seconds=5)


@pytest.mark.parametrize(("eta_days", "hours"), [(None, 1.0), (2, 48.0)])
async def test_retries_come_after_their_delay(
    jobs_worker: Workers, jobs_clock: Clock, eta_days: float | None, hours: float
) -> None:
    """One with an `eta` too, whose time is that of the worker."""
    async with jobs_worker(tasks=ALL):
        result = await flaky.delay(eta_days)
        await jobs_clock.advance(days=10)

        assert await result.get(timeout=5) == 3
    assert spans([at for _, at in ran]) == [hours] * 3


@pytest.mark.parametrize("times", [1, 2, 20])
async def test_n_hours_have_room_for_n_steps_an_hour_apart(jobs_worker: Workers, jobs_clock: Clock, times: int) -> None:
    """Each step takes some real time, and is called an hour after the one before it."""
    async with jobs_worker(tasks=ALL):
        await again.delay(times)
        await jobs_clock.advance(hours=times)

    assert [word for word, _ in ran] == [str(left) for left in range(times, -1, -1)]


@pytest.mark.parametrize(
    ("schedule", "start", "days", "moments"),
    [
        # 02:30 does not exist on 29 March 2026: it is due right after the jump, at 03:00
        (
            crontab(due, hour=2, minute=30, timezone=BERLIN),
            datetime(2026, 3, 28),
            3,
            ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"],
        ),
        # it is shown twice on 25 October: the first counts
        (
            crontab(due, hour=2, minute=30, timezone=BERLIN),
            datetime(2026, 10, 24),
            3,
            ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"],
        ),
        # what is due each hour is due in both
        (
            crontab(due, minute=30, hour=[1, 2, 3], timezone=BERLIN),
            datetime(2026, 10, 25),
            1,
            ["25 01:30 CEST", "25 02:30 CEST", "25 03:30 CET"],
        ),
        (
            every(due, timedelta(hours=6)),
            datetime(2026, 3, 28, 20),
            1,
            ["29 01:00 CET", "29 08:00 CEST", "29 14:00 CEST", "29 20:00 CEST"],
        ),
    ],
)
async def test_a_schedule_fires_once_for_each_moment_over_a_change_of_the_clock(
    jobs_worker: Workers, jobs_clock: Clock, schedule: Any, start: datetime, days: int, moments: list[str]
) -> None:
    await jobs_clock.move_to(start.replace(tzinfo=BERLIN))
    async with jobs_worker(tasks=ALL, cron_jobs=[schedule]):
        await jobs_clock.move_to(start.replace(tzinfo=BERLIN) + days * DAY)

    assert [f"{at.astimezone(BERLIN):%d %H:%M %Z}" for _, at in ran] == moments


async def test_a_rate_limit_is_kept(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=ALL):
        await hourly.apply_many([(), (), ()])
        await jobs_clock.advance(hours=5)

    assert [1 <= hours <= 1.1 for hours in spans([at for _, at in ran])] == [True, True]


async def test_a_workflow_waits_for_members_that_are_due_later(jobs_worker: Workers, jobs_clock: Clock) -> None:
    began = jobs_clock.now()
    async with jobs_worker(tasks=ALL):
        steps = [note.s(n).set(countdown=n * 86_400) for n in (1, 2, 3)]
        flows = [
            await chain(note.si("a").set(countdown=3600), note.si("b").set(countdown=3600), note.si("c")).delay(),
            await chord(steps, note.s()).delay(),
            await calls.delay(),
        ]
        await jobs_clock.advance(days=30)

        assert [await flow.get(timeout=5) for flow in flows] == ["c", [1, 2, 3], ["later", "at once"]]
    hours = {word: round((at - began).total_seconds() / 3600, 1) for word, at in ran}
    assert hours == {"a": 1, "b": 2, "c": 2, "1": 24, "2": 48, "3": 72, "[1, 2, 3]": 72, "later": 24, "at once": 24}


async def test_every_step_of_a_long_chain_comes_at_its_moment(jobs_worker: Workers, jobs_clock: Clock) -> None:
    """Each is enqueued by the workflow only after the one before it has ended."""
    began = jobs_clock.now()
    async with jobs_worker(tasks=ALL):
        flow = await chain(group(note.si(n).set(countdown=3600), note.si(n)) for n in range(20)).delay()
        await jobs_clock.advance(days=3)

        assert await flow.get(timeout=5) == [19, 19]
    late = [at - began - timedelta(hours=int(word) + place % 2) for place, (word, at) in enumerate(ran)]
    assert all(timedelta(0) <= each < timedelta(seconds=20) for each in late), late


async def test_what_was_missed_between_two_workers_is_caught_up(jobs_worker: Workers, jobs_clock: Clock) -> None:
    daily = crontab(due, hour=10, minute=0)
    await jobs_clock.move_to(datetime(2026, 3, 6, 12, tzinfo=UTC))
    async with jobs_worker(tasks=ALL, cron_jobs=[daily]):
        await jobs_clock.advance(days=1)
    await jobs_clock.move_to(datetime(2026, 3, 8, 10, 5, tzinfo=UTC))
    async with jobs_worker(tasks=ALL, cron_jobs=[daily]):
        await jobs_worker.until_idle()

    assert [f"{at:%d %H:%M}" for _, at in ran] == ["07 10:00", "08 10:00"]


async def test_two_workers_share_the_clock_and_the_moments(jobs_worker: Workers, jobs_clock: Clock) -> None:
    each_hour = every(due, timedelta(hours=1))
    async with (
        jobs_worker(tasks=ALL, cron_jobs=[each_hour]),
        jobs_worker(tasks=ALL, cron_jobs=[each_hour], queues=["mail"]),
    ):
        await note.apply_async(("mail",), queue="mail", countdown=3600)
        await jobs_clock.advance(hours=10)

    assert len(ran) == 11
    assert len(set(ran)) == 11


async def test_a_mocked_now_follows_each_step(
    jobs_worker: Workers, jobs_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []

    async def moved(to: datetime) -> None:
        seen.append(to)

    jobs_clock.on_move = seen.append
    async with jobs_worker(tasks=ALL):
        for hours in (1, 2):
            await note.apply_async((hours,), countdown=hours * 3600)
        await jobs_clock.advance(hours=3)

        jobs_clock.on_move = moved
        await jobs_clock.advance(timedelta(hours=1), hours=1)

    assert spans(seen) == [1, 1, 2]
    assert [at <= ran_at < at + NEARLY for at, (_, ran_at) in zip(seen, ran, strict=False)] == [True, True]


async def test_the_keys_are_those_of_this_test_and_are_deleted(
    redis: Redis, jobs_redis_url: str, redis_url: str
) -> None:
    one, other = Workers(jobs_redis_url), Workers(jobs_redis_url)
    await redis.set("of somebody else", 1)
    async with one(tasks=ALL), connect(redis_url):
        result = await note.delay("here")
        await note.apply_async(("waits",), countdown=3600)
        await one.until_idle()
        assert [job.args for job in await enqueued()] == [("waits",)]
        assert {key.split(b":")[0] for key in await redis.keys() if not key.startswith(b"of ")} == {
            one.prefix.encode()[:-1]
        }
        async with other(tasks=ALL):
            assert await Result(result.id).state() == "UNKNOWN"
    for workers in (one, other):
        workers.forget()

    assert await redis.keys() == [b"of somebody else"]


async def test_a_worker_of_the_application_s_own_settings(jobs_worker: Workers) -> None:
    """With its hooks and its options, but on the Redis of the test, and without its port."""

    async def startup(ctx: dict[str, Any]) -> None:
        ctx["there"] = "yes"

    @task(name="virtual.startup", queue="odd")
    async def reads() -> Any:
        return current_job().ctx["there"]

    settings = worker_settings(
        redis_url="redis://nobody.example:1", tasks=[reads], queues=["odd"], on_startup=startup, health="192.0.2.1:1"
    )
    async with jobs_worker(settings, max_jobs=1) as worker:
        assert await (await reads.delay()).get(timeout=5) == "yes"
        assert worker.max_jobs == 1


# What goes wrong is said at once


async def test_a_job_that_does_not_end_is_named(jobs_worker: Workers, jobs_clock: Clock) -> None:
    jobs_worker.patience_s = 0.1
    async with jobs_worker(tasks=ALL):
        result = await stuck.delay()
        with pytest.raises(
            QuarqError, match=rf"virtual\.stuck\[{result.id}\] has not ended after 0\.1 real seconds: have it"
        ):
            await jobs_clock.advance(days=1)


@pytest.mark.parametrize("by_schedule", [True, False])
async def test_what_is_due_too_often_is_named(jobs_worker: Workers, jobs_clock: Clock, by_schedule: bool) -> None:
    jobs_clock.most_steps = 5
    what = r"schedule minutely" if by_schedule else r"virtual\.again\[\w+\]"
    minutely = [every(due, timedelta(minutes=1), name="minutely")] if by_schedule else []
    async with jobs_worker(tasks=ALL, cron_jobs=minutely):
        await again.delay(30)
        message = (
            rf"have run at 5 moments, and it is only .*; due at the last: {what}\. Move .*`jobs_clock\.most_steps`"
        )
        with pytest.raises(QuarqError, match=message):
            await jobs_clock.advance(days=1)


async def test_moments_at_which_nothing_runs_do_not_count(
    jobs_worker: Workers, jobs_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A job of a task that is at its limit of concurrency is looked at each hour, one of an unknown task more often."""

    @task(name="virtual.alone", max_concurrency=1)
    async def alone() -> None:
        await (await note.apply_async(countdown=10 * 86_400)).get()

    jobs_clock.most_steps = 10
    async with jobs_worker(tasks=[alone, note]):
        results = await alone.apply_many([(), ()])
        await jobs_clock.advance(days=21)
        unknown = await Signature("virtual.nobody").delay()
        await jobs_clock.advance(minutes=5)
        assert await unknown.state() == "PENDING"
        assert 1 <= caplog.text.count("does not know the task") <= 6  # once a minute
        assert [await result.state() for result in results] == ["SUCCESS"] * 2


async def test_the_end_of_a_job_is_the_end_of_its_hooks(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async def after(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.1)
        ran.append(("after", clock[0].now()))

    async with jobs_worker(tasks=ALL, after_job_end=after):
        await note.delay("job")
        await jobs_clock.advance(days=1)
        assert [word for word, _ in ran] == ["job", "after"]
        assert ran[1][1] - ran[0][1] < DAY / 2

        jobs_worker.patience_s = 0.01
        await note.delay("job")
        with pytest.raises(QuarqError, match="after_job_end has not ended"):
            await jobs_worker.until_idle()
        jobs_worker.patience_s = 10


async def fails(ctx: dict[str, Any]) -> None:
    raise RuntimeError("no database")


async def before_there_is_a_worker(jobs_worker: Workers, jobs_clock: Clock) -> None:
    await jobs_clock.advance(days=1)


async def backwards(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=ALL):
        await jobs_clock.advance(days=-1)


async def with_a_worker_that_does_not_start(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=ALL, on_startup=fails):
        raise AssertionError("it has not started")


async def with_a_worker_that_has_ended(jobs_worker: Workers, jobs_clock: Clock) -> None:
    async with jobs_worker(tasks=ALL, max_jobs_total=1) as worker:
        await note.delay()
        await asyncio.wait([worker.main_task])
        await jobs_clock.advance(days=1)


async def backwards_between_two_workers(jobs_worker: Workers, jobs_clock: Clock) -> None:
    """A schedule would not run again at moments that it had, and no limit would let anything through."""
    async with jobs_worker(tasks=ALL):
        await jobs_clock.advance(hours=2)
    await jobs_clock.move_to(jobs_clock.now() - timedelta(hours=1))


@pytest.mark.parametrize(
    ("mistake", "error", "why"),
    [
        (
            backwards_between_two_workers,
            WrongValue,
            "it is .* a later one once a worker of the test has run: schedules",
        ),
        (before_there_is_a_worker, QuarqError, r"no worker runs.*async with jobs_worker"),
        (backwards, WrongValue, "by=.*, from 0:00:00 to"),
        (with_a_worker_that_does_not_start, RuntimeError, "no database"),
        (with_a_worker_that_has_ended, QuarqError, "or one has ended"),
    ],
)
async def test_a_mistake_is_said_at_once(
    jobs_worker: Workers, jobs_clock: Clock, mistake: Callable[[Workers, Clock], Awaitable[None]], error: Any, why: str
) -> None:
    with pytest.raises(error, match=why):
        await mistake(jobs_worker, jobs_clock)


@pytest.mark.parametrize(
    ("by", "units", "why"),
    [
        ((3600,), {}, r"by=3600: give a time span such as timedelta\(seconds=30\)"),
        ((), {"days": float("nan")}, "days=nan: give a number"),
        ((), {"days": float("inf")}, "days=inf: give a number"),
        ((), {"hours": "5"}, "hours='5': give a number"),
        ((), {"days": 365 * 9_000}, "by=.*give a time span"),
        ((timedelta(hours=1),), {"hours": -2}, "by=.*, from 0:00:00 to"),
    ],
)
async def test_a_span_that_is_none_is_refused(
    jobs_worker: Workers, jobs_clock: Clock, by: Any, units: Any, why: str
) -> None:
    with pytest.raises((TypeError, WrongValue), match=why):
        await jobs_clock.advance(*by, **units)


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        (datetime(1960, 1, 1, tzinfo=UTC), "it is .* Give a moment from 1970 to 9999"),
        (
            datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=1))),
            "give a datetime between the years 1 and 9999",
        ),
    ],
)
async def test_a_moment_that_redis_does_not_have_is_refused(jobs_clock: Clock, moment: datetime, why: str) -> None:
    with pytest.raises(WrongValue, match=why):
        await jobs_clock.move_to(moment)


async def test_a_datetime_without_a_zone_is_in_local_time(jobs_clock: Clock) -> None:
    moment = datetime(2026, 1, 15, 12)
    await jobs_clock.move_to(moment)

    assert timedelta(0) <= jobs_clock.now() - moment.astimezone(UTC) < NEARLY
