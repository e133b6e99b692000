"""Schedules as data: each moment fires once, whatever dies, pauses, changes or runs beside it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import (
    CurrentJob,
    Result,
    Signature,
    chain,
    connect,
    crontab,
    current_job,
    every,
    group,
    schedules,
    task,
    worker_settings,
)
from jobs.client.connection import JobsRedis
from jobs.contrib import backfill, due_schedules
from jobs.errors import EncodingError, QuarqError, SettingsMistake, TooLarge, UnknownSchedule, WrongValue
from jobs.store.keys import Keys
from jobs.store.stored_values import moment_of
from jobs.tasks.declarations import KnownTask
from jobs.testing import Clock, Workers, eager
from jobs.worker.scheduler import Scheduler, fire_stored, look
from tests.jobs.key_table import assert_as_documented
from tests.jobs.redis_clock import set_clock

START = datetime(2026, 3, 2, 7, tzinfo=UTC)  # A Monday, 08:00 in Berlin.
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RELEASED = Path(__file__).parents[1] / "released"

ran: list[tuple[str, datetime | None]] = []


@task(name="stored.report", bind=True, max_retries=1, default_retry_delay=0)
async def report(self: CurrentJob, part: Any = 0, fails: bool = False) -> Any:
    ran.append((str(self.request.id), self.request.scheduled_for))
    if fails and not self.request.retries:
        self.retry(exc=OSError("not yet"))
    return part


@task(name="stored.slow")
async def slow(seconds: float) -> None:
    """Not done before that time of the workers has passed: it calls itself for the rest."""
    ran.append((str(current_job().request.id), current_job().request.scheduled_for))
    await (await report.apply_async(("waited",), countdown=seconds)).get()


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    async with connect(redis_url) as connection:
        yield connection


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


# Each moment once, held against a model


class Fleet:
    """Three workers, of which each step can be the last: what one has looked at may be fired late, or never."""

    def __init__(self, connection: JobsRedis, random: Random) -> None:
        self.connection, self.random = connection, random
        self.looked: list[tuple[list[Any], datetime]] = []
        self.fired = Counter[tuple[str, int]]()

    async def look(self) -> None:
        now, _, rows = await look(self.connection)
        if rows:
            self.looked.append((rows, moment_of(now)))

    async def fire(self) -> None:
        """What one of them has looked at, now or long ago."""
        if self.looked:
            rows, now = self.looked.pop(self.random.randrange(len(self.looked)))
            await self._noting(rows, now)

    async def kill(self) -> None:
        if self.looked:
            self.looked.pop(self.random.randrange(len(self.looked)))

    async def _noting(self, rows: list[Any], now: datetime) -> None:
        before = await self._last_ids()
        await due_schedules.fire(self.connection, rows, now)
        for name, last_id in (await self._last_ids()).items():
            if last_id and last_id != before.get(name):
                self.fired[name, int(last_id.split(":")[-1])] += 1

    async def _last_ids(self) -> dict[str, str]:
        return {info.name: info.last_id for info in await schedules.list()}

    async def settle(self) -> None:
        """A worker that lives does all there is to do."""
        while True:
            now, _, rows = await look(self.connection)
            if not rows:
                return
            await self._noting(rows, moment_of(now))


class Model:
    """Which moments have to fire, and which may: those that were due when somebody said something of their schedule."""

    def __init__(self) -> None:
        self.periods: dict[str, int] = {}
        self.paused = set[str]()
        self.must, self.may = set[tuple[str, int]](), set[tuple[str, int]]()

    def pass_by(self, since: int, until: int) -> None:
        for name, period in self.periods.items():
            if name not in self.paused:
                self.must |= {(name, at) for at in range(-(-(since + 1) // period) * period, until + 1, period)}

    def interrupt(self, name: str, now: int) -> None:
        recent = {(one, at) for one, at in self.must if one == name and at > now - 13_000}
        self.must -= recent
        self.may |= recent


@pytest.mark.parametrize("seed", range(5))
async def test_each_moment_fires_once_across_workers_kills_pauses_upserts_and_deletes(
    redis: Redis, connection: JobsRedis, seed: int
) -> None:
    random, model = Random(seed), Model()
    fleet, now = Fleet(connection, random), START
    await set_clock(redis, now)

    async def put(name: str) -> None:
        period = model.periods.get(name) if random.random() < 0.7 else None
        if name in model.periods and period is None:
            model.interrupt(name, ms(now))
        period = period or random.choice([20_000, 30_000, 60_000])
        jitter = random.choice([0, 3])
        await schedules.put(name, report.s(random.random()), every(timedelta(milliseconds=period)), jitter=jitter)
        model.periods[name] = period

    for n in range(300):
        name = f"s{random.randrange(4)}"
        step = random.choice(["put", "put", "pause", "resume", "delete", "", "", "", "", ""])
        if step == "put":
            await put(name)
        elif step == "pause" and name in model.periods:
            await schedules.pause(name)
            model.interrupt(name, ms(now))
            model.paused.add(name)
        elif step == "resume" and name in model.periods:
            await schedules.resume(name)
            model.interrupt(name, ms(now))
            model.paused.discard(name)
        elif step == "delete" and name in model.periods:
            assert await schedules.delete(name)
            model.interrupt(name, ms(now))
            del model.periods[name]
            model.paused.discard(name)
        later = now + 6 * SECOND
        model.pass_by(ms(now), ms(later))
        now = later
        await set_clock(redis, now + SECOND / 10)
        steps = [fleet.fire, fleet.kill, lambda: asyncio.sleep(0)]
        for step_of_worker in [*random.choices(steps, k=2), *([fleet.look] if n % 2 else []), random.choice(steps)]:
            await step_of_worker()  # one that looks again and again and always dies would delay a moment for ever
        await fleet.settle()
    for name in model.periods:
        model.interrupt(name, ms(now))

    assert set(fleet.fired.values()) <= {1}
    assert model.must <= fleet.fired.keys() <= model.must | model.may
    assert len(model.must) > 30
    ids = {f"sched:{name}:{at}" for name, at in fleet.fired}
    assert {key.decode().removeprefix(Keys.JOB) for key in await redis.keys(f"{Keys.JOB}*")} == ids
    await assert_as_documented(redis)


async def test_what_was_looked_at_long_ago_changes_nothing(redis: Redis, connection: JobsRedis) -> None:
    await set_clock(redis, START)
    await schedules.put("one", report.s(), every(HOUR))
    await fire_stored(connection)
    await set_clock(redis, START + HOUR)
    _, _, stale = await look(connection)
    await set_clock(redis, START + 2 * HOUR)
    await fire_stored(connection)
    before = await schedules.get("one")

    await due_schedules.fire(connection, stale, START + HOUR)

    assert await schedules.get("one") == before
    assert before.last_run == START + 2 * HOUR


@pytest.mark.parametrize("seed", range(4))
async def test_a_declared_moment_fires_once_beside_workers_of_the_last_release(
    redis: Redis, connection: JobsRedis, seed: int
) -> None:
    """Both see every moment, in any order, some of them late; what the one has stored the other reads."""
    random = Random(seed)
    old = redis.register_script((RELEASED / "fire.lua").read_text())
    job = every(report, MINUTE, name="tick")
    new = Scheduler(connection, [job], "default", None)
    payload = connection.encode_call("stored.report", (), {})
    await set_clock(redis, START + SECOND)
    for n in range(12):
        moment = START + n * MINUTE
        await set_clock(redis, moment + SECOND)

        async def by_the_old(at: datetime = moment) -> bool:
            words = ["tick", ms(at), "due", 3_600_000, "stored.report", job.when, "default", payload, "", ""]
            return await old(keys=["jobs:"], args=[*words, ms(at + MINUTE), ms(at + MINUTE)]) == b"fired"

        async def by_the_new(at: datetime = moment) -> bool:
            return await new.run_script(job, at, at + SECOND, "due") == b"fired"

        order = random.sample([by_the_old, by_the_old, by_the_new, by_the_new], 4)
        assert [await one() for one in order] == [True, False, False, False]
        assert not any([await one(moment - MINUTE) for one in order])
    assert len(await redis.keys(f"{Keys.JOB}*")) == 12


async def test_commands_of_the_last_release_steer_stored_ones(redis: Redis, connection: JobsRedis) -> None:
    steer = redis.register_script((RELEASED / "steer.lua").read_text())
    await set_clock(redis, START)
    await schedules.put("hourly", report.s(1), crontab("0 * * * *"))

    async def old(what: str) -> bytes:
        return await steer(keys=["jobs:"], args=["hourly", what])  # type: ignore[no-any-return]

    assert await old("pause") == b"paused"
    await set_clock(redis, START + HOUR + SECOND)
    await fire_stored(connection)
    assert await old("resume") == b"resumed"
    info = await schedules.get("hourly")
    assert (info.paused, info.last_run, info.skipped, info.why_skipped) == (False, None, 1, "paused")
    await set_clock(redis, START + 2 * HOUR + SECOND)
    await fire_stored(connection)
    assert (await schedules.get("hourly")).last_run == START + 2 * HOUR
    assert await old("forget") == b"forgotten"
    await set_clock(redis, START + 3 * HOUR + SECOND)
    await fire_stored(connection)
    assert await redis.zcard(Keys.SCHEDULES_DUE) == 0
    assert await schedules.list() == []


# Moments


@pytest.mark.parametrize(
    "when",
    [
        crontab("0 8 * * 1-5", timezone="Europe/Berlin"),
        crontab(minute=[0, 30], hour="*/2, 1", day_of_week="mon-fri", timezone="Asia/Tokyo"),
        crontab(minute="*/5"),
        crontab(minute=0, hour=0, day_of_month=13, day_of_week="fri"),
        every(90 * SECOND),
        every(timedelta(days=3, seconds=1.5)),
    ],
    ids=lambda when: when.when,
)
async def test_what_is_stored_says_the_same_moments(redis: Redis, connection: JobsRedis, when: Any) -> None:
    await set_clock(redis, START)
    expected = [await schedules.put("one", report.s(), when)]
    while len(expected) < 5:
        expected.append(when.next_after(expected[-1]))

    info = await schedules.get("one")

    assert info.next_run == expected[0]
    assert list(info.coming) == expected
    assert (info.declared, info.gone, info.task, info.queue) == (False, False, "stored.report", "default")


@pytest.mark.parametrize("jitter", [1, 60, 10**6])
async def test_jitter_is_the_same_for_a_moment_and_never_reaches_the_next(
    redis: Redis, connection: JobsRedis, jitter: int
) -> None:
    delays = []
    await set_clock(redis, START)
    for name in [f"report:{n}" for n in range(20)]:
        await schedules.put(name, report.s(), every(MINUTE), jitter=jitter)
    for _ in range(2):  # the second look finds the same
        _, _, rows = await look(connection)
        await due_schedules.fire(connection, rows, START)
        dues = await redis.zrange(Keys.SCHEDULES_DUE, 0, -1, withscores=True)
        delays.append({name: due / 1000 - (START + MINUTE).timestamp() for name, due in dues})
        await redis.zadd(Keys.SCHEDULES_DUE, dict.fromkeys(delays[0], 0))

    assert delays[0] == delays[1]
    assert 0 <= min(delays[0].values()) < max(delays[0].values()) < min(jitter, 60)
    assert len(set(delays[0].values())) > 15


async def test_what_is_put_again_keeps_what_is_due_and_other_moments_begin_anew(
    redis: Redis, connection: JobsRedis
) -> None:
    await set_clock(redis, START)
    await schedules.put("daily", report.s("old"), crontab("0 8 * * *"))
    await set_clock(redis, START + HOUR + SECOND)

    await schedules.put("daily", report.s("new"), crontab("0 8 * * *"))  # as an application does that starts then
    await fire_stored(connection)
    info = await schedules.get("daily")
    assert info.last_run == START + HOUR
    assert connection.loads(await redis.get(Keys.JOB + info.last_id))["a"] == ("new",)

    await set_clock(redis, START + DAY + 2 * HOUR)
    await schedules.put("daily", report.s(), crontab("30 8 * * *"))
    await fire_stored(connection)
    assert (await schedules.get("daily")).last_run == START + HOUR  # neither 08:00 nor 08:30 of this day


@pytest.mark.parametrize(("late", "fires"), [(HOUR, True), (7 * HOUR, False)])
async def test_a_missed_moment_runs_once_within_its_window(
    redis: Redis, connection: JobsRedis, late: timedelta, fires: bool
) -> None:
    await set_clock(redis, START)
    await schedules.put("daily", report.s(), crontab("0 8 * * *", window=6 * HOUR))
    await set_clock(redis, START + HOUR + 3 * DAY + late)

    await fire_stored(connection)

    info = await schedules.get("daily")
    due = START + HOUR + 3 * DAY
    assert (info.last_run, info.last_skipped) == ((due, None) if fires else (None, due))
    assert info.why_skipped == ("" if fires else "skipped")
    assert info.next_run == due + DAY


# What runs


async def test_it_runs_on_a_worker_at_its_moments(jobs_worker: Workers, jobs_clock: Clock) -> None:
    await jobs_clock.move_to(START)
    async with jobs_worker(tasks=[report]):
        when = crontab("0 8 * * 1-5", timezone="Europe/Berlin")
        assert await schedules.put("report:42", report.s(42), when) == START + DAY  # it is a bit after eight
        await jobs_clock.advance(days=7)

        assert [moment for _, moment in ran] == [START + n * DAY for n in (1, 2, 3, 4, 7)]
        assert ran[0][0] == schedules.job_id("report:42", START + DAY)
        assert await Result(ran[0][0]).get() == 42
        assert await schedules.delete("report:42")
        assert not await schedules.delete("report:42")
        await jobs_clock.advance(days=7)
        assert len(ran) == 5


@pytest.mark.parametrize(
    "call",
    [
        report.s(1, fails=True),
        chain(report.s(1), report.s()),
        group(report.s(1), report.s(2)) | report.s(),
        report.s(1).set(link=report.s()),
    ],
    ids=["retried", "chain", "chord", "link"],
)
async def test_all_that_it_calls_knows_the_moment(jobs_worker: Workers, jobs_clock: Clock, call: Signature) -> None:
    await jobs_clock.move_to(START)
    async with jobs_worker(tasks=[report]):
        await schedules.put("report:1", call, every(HOUR))
        await jobs_clock.advance(hours=1, minutes=1)
        assert len(ran) >= 2
        assert {moment for _, moment in ran} == {START + HOUR}

        ran.clear()
        now = await schedules.run("report:1")
        await Result(now).get(timeout=5)
        await (await report.delay()).get(timeout=5)
        await jobs_clock.advance(minutes=1)
        assert {moment for _, moment in ran} == {None}


async def test_called_without_a_schedule_it_has_no_moment_and_a_test_may_give_one() -> None:
    await report()
    with eager():
        await report.delay()
        await report.apply_async(task_id=schedules.job_id("report:42", START))
        with pytest.raises(QuarqError, match="eager mode has no Redis"):
            await schedules.put("report:42", report.s(), every(HOUR))
    assert [moment for _, moment in ran] == [None, None, START]


@pytest.mark.parametrize(
    ("overlap", "moments", "skipped"),
    [(None, [1, 2, 3], 0), ("skip", [1, 3], 1), ("queue", [1, 2], 0), ("cancel", [1, 2, 3], 0)],
)
async def test_what_happens_while_the_last_run_goes_on(
    jobs_worker: Workers, jobs_clock: Clock, overlap: Any, moments: list[int], skipped: int
) -> None:
    """Each hour one of 90 minutes: one is due in the middle of the first, and one after it has ended."""
    await jobs_clock.move_to(START)
    async with jobs_worker(tasks=[report, slow]):
        await schedules.put("slow", slow.s(90 * 60), every(HOUR), overlap=overlap)
        await jobs_clock.advance(hours=3, minutes=1)

        started = [moment for _, moment in ran if moment]
        assert started == [START + n * HOUR for n in moments]
        info = await schedules.get("slow")
        assert (info.skipped, info.why_skipped) == (skipped, "overlaps" if skipped else "")
        states = [await Result(schedules.job_id("slow", moment)).state() for moment in started]
        assert (
            states
            == {
                None: ["SUCCESS", "STARTED", "STARTED"],
                "skip": ["SUCCESS", "STARTED"],
                "queue": ["SUCCESS", "STARTED"],
                "cancel": ["REVOKED", "REVOKED", "STARTED"],
            }[overlap]
        )


@pytest.mark.parametrize("said", ["", "late", "paused", "deleted", "put again", "ran by hand"])
async def test_the_last_run_is_cancelled_only_by_the_one_that_is_fired(
    redis: Redis, connection: JobsRedis, said: str
) -> None:
    async def put() -> None:
        await schedules.put("hourly", report.s(), every(HOUR, window=5 * MINUTE), overlap="cancel")

    await set_clock(redis, START)
    await put()
    await set_clock(redis, START + HOUR)
    await fire_stored(connection)
    first = schedules.job_id("hourly", START + HOUR)
    await set_clock(redis, START + 2 * HOUR + (20 * MINUTE if said == "late" else SECOND))
    now, _, rows = await look(connection)
    if said == "paused":
        await schedules.pause("hourly")
    elif said == "deleted":
        await schedules.delete("hourly")
    elif said == "put again":
        await put()
    elif said == "ran by hand":  # that is the last run now, and it was not looked at
        await schedules.run("hourly")

    await due_schedules.fire(connection, rows, moment_of(now))

    assert await Result(first).state() == ("PENDING" if said else "REVOKED")
    assert await Result(schedules.job_id("hourly", START + 2 * HOUR)).state() == ("UNKNOWN" if said else "PENDING")
    if said in ("put again", "ran by hand"):
        last = (await schedules.get("hourly")).last_id
        await set_clock(redis, START + 2 * HOUR + 10 * SECOND)
        await fire_stored(connection)
        assert await Result(last).state() == "REVOKED"
        assert (await schedules.get("hourly")).last_run == START + 2 * HOUR
    await assert_as_documented(redis)


async def test_the_one_that_waits_stands_for_those_that_pass_and_is_never_too_late(
    redis: Redis, connection: JobsRedis
) -> None:
    await set_clock(redis, START)
    await schedules.put("slow", report.s(), every(HOUR, window=timedelta(0)), overlap="queue")
    await set_clock(redis, START + HOUR)
    await fire_stored(connection)
    for minutes in range(60, 220, 10):
        await set_clock(redis, START + minutes * MINUTE)
        await fire_stored(connection)
    assert (await schedules.get("slow")).last_run == START + HOUR

    await Result(schedules.job_id("slow", START + HOUR)).revoke()
    await set_clock(redis, START + 230 * MINUTE)
    await fire_stored(connection)
    assert (await schedules.get("slow")).last_run == START + 3 * HOUR


async def test_backfill_runs_each_missed_moment_once(jobs_worker: Workers, jobs_clock: Clock) -> None:
    await jobs_clock.move_to(START)
    async with jobs_worker(tasks=[report]):
        await schedules.put("daily", report.s(1), crontab("0 8 * * *"))
        await schedules.pause("daily")
        await jobs_clock.advance(days=4)
        assert ran == []
        since, until = START + DAY, START + 3 * DAY

        made = await schedules.backfill("daily", since, until)
        assert made == [schedules.job_id("daily", START + HOUR + n * DAY) for n in (1, 2)]
        assert await schedules.backfill("daily", since, until) == []
        for job_id in made:
            await Result(job_id).get(timeout=5)
        assert await schedules.backfill("daily", since - DAY, until) == [schedules.job_id("daily", START + HOUR)]
        await jobs_clock.advance(minutes=1)
        assert sorted(moment for _, moment in ran if moment) == [START + HOUR + n * DAY for n in range(3)]


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        (START - 9 * DAY, START, "more than 10,000 moments"),
        (START, START + DAY, "is to come"),
        ("yesterday", START, "since='yesterday'"),
        (datetime.min.replace(tzinfo=timezone(HOUR)), START, "between the years 1 and 9999"),
        (datetime.min.replace(tzinfo=UTC), START, "more than 10,000 moments|out of range"),
    ],
)
async def test_a_backfill_of_too_much_or_of_nothing_is_refused(
    redis: Redis, connection: JobsRedis, since: Any, until: Any, text: str
) -> None:
    await set_clock(redis, START)
    await schedules.put("often", report.s(1), every(MINUTE))
    with pytest.raises((WrongValue, TypeError), match=text):
        await schedules.backfill("often", since, until)
    with pytest.raises(UnknownSchedule, match="no schedule called 'oftn'; did you mean 'often'"):
        await schedules.backfill("oftn", START, START)


async def test_a_backfill_of_one_that_is_deleted_meanwhile_runs_nothing(
    redis: Redis, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missed(*of: Any) -> list[datetime]:
        found = await counted(*of)
        await schedules.delete("often")
        return found

    counted = backfill.missed
    monkeypatch.setattr(backfill, "missed", missed)
    await set_clock(redis, START)
    await schedules.put("often", report.s(1), every(MINUTE))
    with pytest.raises(UnknownSchedule):
        await schedules.backfill("often", START - HOUR, START)
    assert await redis.keys(f"{Keys.JOB}*") == []


async def test_plain_code_has_the_same_verbs(redis_url: str, connection: JobsRedis) -> None:
    def plain() -> list[str]:
        schedules.blocking.put("hourly", report.s(1), every(HOUR))
        schedules.blocking.pause("hourly")
        return [info.name for info in schedules.blocking.list() if info.paused]

    assert await asyncio.to_thread(plain) == ["hourly"]


async def test_they_are_listed_a_part_at_a_time_the_next_one_first(redis: Redis, connection: JobsRedis) -> None:
    await set_clock(redis, START)
    declares = Scheduler(connection, [every(report, MINUTE, name="of a worker")], "default", None)
    await declares.catch_up()
    for n in range(5, 0, -1):
        await schedules.put(f"r*{n}", report.s(), crontab(minute=0, hour=7 + n))
    await fire_stored(connection)

    async def names(**asked: Any) -> list[str]:
        return [info.name for info in await schedules.list(**asked)]

    everything = ["of a worker", "r*1", "r*2", "r*3", "r*4", "r*5"]
    assert await names() == everything
    assert [await names(start=n, most=2) for n in (0, 1, 4, 6)] == [everything[n : n + 2] for n in (0, 1, 4, 6)]
    assert await names(containing="*3") == ["r*3"]
    assert await names(containing="or") == ["of a worker"]
    assert await names(containing="r", start=1, most=1) == ["r*1"]
    assert [await names(start=n, most=0) for n in (0, 6)] == [[], []]
    with pytest.raises(WrongValue, match="a worker declares"):
        await schedules.put("of a worker", report.s(), every(HOUR))
    with pytest.raises(WrongValue, match="a worker declares"):
        await schedules.delete("of a worker")


# What cannot be


WRONG_PUT: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": ""}, WrongValue, "name=''"),
    ({"name": "x" * 1000}, WrongValue, "name="),
    ({"name": "a,b"}, WrongValue, "a name without a comma"),
    ({"name": "a\nb"}, WrongValue, "printable"),
    ({"name": 5}, TypeError, "name=5"),
    ({"call": report}, TypeError, r"call=.*such as report\.s\(42\)"),
    ({"call": report.s(object())}, EncodingError, "stored.report"),
    ({"call": report.s("x" * 300_000)}, TooLarge, "300"),
    ({"call": chain(report.s("x" * 200_000), report.s("x" * 200_000))}, TooLarge, "400"),
    ({"call": report.s(1, 2, 3, 4)}, TypeError, "stored.report"),
    ({"call": report.s().set(countdown=5)}, WrongValue, "countdown= of the call of 'one'"),
    ({"call": report.s().set(eta=START)}, WrongValue, "eta= of the call"),
    ({"call": report.s().set(task_id="x")}, WrongValue, "task_id= of the call"),
    ({"call": report.s().set(expires=START)}, WrongValue, "expires= of the call"),
    ({"when": "0 8 * * *"}, TypeError, "when='0 8"),
    ({"when": every(report, HOUR)}, WrongValue, "the call says which task runs"),
    ({"when": crontab("stored.report")}, WrongValue, "the call says which task runs"),
    ({"when": every(SECOND / 2)}, WrongValue, "at least a second"),
    ({"when": crontab("0 8 * * *", timezone=UTC.__class__(HOUR))}, WrongValue, "timezone="),
    ({"overlap": "both"}, WrongValue, "overlap='both'"),
    ({"overlap": ["skip"]}, WrongValue, "overlap="),
    ({"jitter": -1}, WrongValue, "jitter=-1"),
    ({"jitter": "60"}, TypeError, "jitter='60'"),
    ({"jitter": float("nan")}, WrongValue, "jitter=nan"),
]


@pytest.mark.parametrize(("given", "error", "text"), WRONG_PUT, ids=lambda given: str(given)[:40])
async def test_what_cannot_be_put_is_refused_where_it_is_written(
    redis: Redis, connection: JobsRedis, given: dict[str, Any], error: type[Exception], text: str
) -> None:
    right: dict[str, Any] = {"name": "one", "call": report.s(), "when": every(HOUR)}
    with pytest.raises(error, match=text) as refused:
        await schedules.put(**right | given)
    assert len(str(refused.value)) < 600
    assert await redis.keys("jobs:schedule*") == []


async def test_a_put_of_a_task_that_no_worker_knows_says_so(
    redis: Redis, connection: JobsRedis, caplog: pytest.LogCaptureFixture
) -> None:
    for call in (report.s(), report.s() | Signature("stored.elsewhere"), Signature("stored.nope") | report.s()):
        await redis.hset(Keys.TASKS, "stored.elsewhere", KnownTask().packed())
        await schedules.put("one", call, every(HOUR))
    assert caplog.messages == ["schedule one: no worker has declared stored.nope: its jobs wait for one that does"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: crontab(report, "0 8 * *"), "'0 8 .*': give five fields"),
        (lambda: crontab(report, "0 8 * * * *"), "give five fields"),
        (lambda: crontab(report, 5), "5: give five fields"),
        *(
            (lambda text=text: crontab(text), "give five fields .* minute, hour, .* as '0 8")
            for text in (
                "0 8 * *",
                "0 0 8 * * *",
                "@daily",
                "every day",
                " 5 ",
                "*",
                "8,20",
                "*/5",
                "at\tnoon",
                "a day\n",
            )
        ),
        (lambda: crontab("every day", hour=4), "give five fields"),
        (lambda: crontab("61 8 * * *"), "minute: cannot read '61'"),
        (lambda: crontab("0 8 31 2 *"), "no such day exists"),
        (lambda: crontab("0 8 13 * 5"), "either of the two days"),
        (lambda: crontab("0 8 * * *", hour=5), "the text has all five"),
        (lambda: crontab("0 8 * * *", args=[1]), "go with a task"),
        (lambda: every(HOUR, name="x"), "go with a task"),
        (lambda: every(30), "every=30: give a time span"),
        (lambda: every(report), "give a time span"),
    ],
)
def test_moments_that_cannot_be_are_refused_where_they_are_written(make: Any, text: str) -> None:
    with pytest.raises(SettingsMistake, match=text):
        make()


def test_a_task_may_have_a_name_with_blanks_where_it_is_known() -> None:
    named = task(name="stored every day")(lambda: None)

    assert crontab("stored every day", hour=4).task == crontab(named).task == "stored every day"


def test_moments_without_a_task_are_no_schedule_of_a_worker() -> None:
    with pytest.raises(SettingsMistake, match=r"<every every 1:00:00>: give the task that is due then"):
        worker_settings(redis_url="redis://nowhere", cron_jobs=[every(HOUR)])


async def test_what_somebody_else_wrote_keeps_no_other_schedule(
    redis: Redis, connection: JobsRedis, caplog: pytest.LogCaptureFixture
) -> None:
    await set_clock(redis, START)
    for name in ("bad when", "bad last", "far last", "bad window", "bad queue", "wrong type", "gone", "good"):
        await schedules.put(name, report.s(), every(HOUR))
    await redis.hset(f"{Keys.SCHEDULE}bad when", "when", "at noon")
    await redis.hset(f"{Keys.SCHEDULE}bad last", "last", "yesterday")
    await redis.hset(f"{Keys.SCHEDULE}far last", "last", 10**17)
    await redis.hset(f"{Keys.SCHEDULE}bad window", "window", "wide")
    await redis.hset(f"{Keys.SCHEDULE}bad queue", "queue", "odd")
    await redis.set("arq:queue:odd", "no queue")
    await redis.delete(f"{Keys.SCHEDULE}gone", f"{Keys.SCHEDULE}wrong type")
    await redis.set(f"{Keys.SCHEDULE}wrong type", "x")
    await set_clock(redis, START + HOUR)

    await fire_stored(connection)

    assert [info.name for info in await schedules.list(containing="good") if info.last_run] == ["good"]
    assert await redis.zcount(Keys.SCHEDULES_DUE, 0, ms(START + HOUR)) == 0
    assert "bad when" in caplog.text
    assert "bad queue" in caplog.text
    assert await redis.exists(Keys.JOB + schedules.job_id("bad last", START + HOUR))
