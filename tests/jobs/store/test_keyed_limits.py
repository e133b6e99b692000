"""Limits by key, as the scripts keep them: what a job costs, keys from a worker, changes while jobs wait, damage."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from jobs import Limit, connect, task
from jobs.client.connection import JobsRedis
from jobs.store import keys
from jobs.store.store import now_ms
from settings import ROOT
from tests.jobs.store.command_counts import MANY, NOT_OF_A_SCRIPT, counted, each_more, listed
from tests.jobs.store.limits_walk import TASK, Walk
from tests.registered_tasks import forget

ONE_EACH = Limit(1, per="a")


@pytest.fixture
async def redis_of_jobs(redis_url: str) -> AsyncIterator[JobsRedis]:
    async with connect(redis_url) as redis:
        yield redis


async def began(redis: JobsRedis, *concurrency: int | Limit, rates: tuple[str | Limit, ...] = ()) -> Walk:
    walk = Walk(redis, random.Random(1), concurrency, rates)
    await walk.begin()
    return walk


async def call(walk: Walk, *numbers: int, knows: bool = True, queue: str = "default") -> list[str]:
    return [(await walk.call({"a": n, "b": 1}, queue, knows=knows)).id for n in numbers]


def running(walk: Walk) -> list[str]:
    return [job.id for job in walk.jobs.values() if job.worker]


async def test_a_task_with_plain_limits_costs_what_it_cost(redis_of_jobs: JobsRedis) -> None:
    """Counted at the release before limits by key."""
    await redis_of_jobs.declare_limits("tests.multiply", None, 100)
    await counted(redis_of_jobs, 1)
    found = await counted(redis_of_jobs, 20)

    assert listed(found["enqueue"]) == "EXISTS, HSET x 20, LLEN, MGET, MSET, SADD, TIME, ZADD"
    assert listed(found["claim"]) == (
        "EXISTS x 2, HGETALL, HMGET x 21, HSET x 21, MGET x 2, SADD x 20, SCARD x 20, SET x 20, SISMEMBER x 21, TIME, "
        "ZADD x 2, ZRANGE x 2, ZREM x 20"
    )
    assert listed(found["finish"]) == (
        "DEL x 21, EXPIRE, HGET, HGETALL, HMGET x 21, HSET x 22, MGET, PUBLISH, SET x 20, SREM x 20, TIME, ZADD x 2, "
        "ZCARD, ZRANGE x 20, ZREM x 22, ZSCORE x 20"
    )


async def plain(x: int, y: int) -> None: ...


async def test_the_page_has_what_a_limit_by_key_takes(redis_of_jobs: JobsRedis) -> None:
    more, none = Counter[str](), task(name="keyed.none")(plain)
    keyed = task(name="keyed.each", max_concurrency=Limit(50, per="x"))(plain)
    for called, times in ((none, -1), (keyed, 1)):
        await redis_of_jobs.declare_limits(called.name, None, called.options.max_concurrency)
        await counted(redis_of_jobs, 1, called=called)
        one, many = [await counted(redis_of_jobs, n, called=called) for n in (1, MANY)]
        for script in ("enqueue", "claim", "finish"):
            more[script] += times * sum(each_more(one, many, script).values())

    of_each = "enqueue {enqueue}, claim {claim} and finish {finish} ".format(**more)
    text = f"{more.total()} commands more, whatever the number of keys: {of_each}"
    assert text in (ROOT / "docs" / "cost.md").read_text(), more
    for one_task in (none, keyed):
        forget(one_task.name)


async def test_100_000_keys_cost_a_job_what_one_costs(redis_of_jobs: JobsRedis) -> None:
    walk = await began(redis_of_jobs, 50, ONE_EACH)
    found = []
    for more in (0, 0, 100_000):  # the first of all writes what is written once
        for first in range(0, more, 10_000):
            names = [f"a={n}" for n in range(1000 + first, 11_000 + first)]
            await redis_of_jobs.zadd(f"{keys.Keys.WAITING}{TASK}", dict.fromkeys(names, 1))
            await redis_of_jobs.hset(f"{keys.Keys.OVERRIDES}{TASK}", mapping={f"{n}|holders": 1 for n in names})  # type: ignore[misc]
        await redis_of_jobs.delete(f"{keys.Keys.WAKE}default", f"{keys.Keys.WAKE}other")
        await walk.pass_time(0)
        await redis_of_jobs.config_resetstat()
        [first_one, _] = await call(walk, more + 1, more + 1)
        await walk.claim("w1")
        await walk.end(walk.jobs[first_one])
        await walk.claim("w1")
        stats = await redis_of_jobs.info("commandstats")
        others = {*NOT_OF_A_SCRIPT, "expire"}  # that of a minute's counters comes once
        counts = Counter({name: row["calls"] for name, row in stats.items() if name[8:] not in others})
        found.append(counts)
        for name in running(walk):
            await walk.end(walk.jobs[name])

    assert found[1] == found[2]


async def test_a_job_without_keys_gets_them_from_its_worker_once(redis_of_jobs: JobsRedis) -> None:
    walk = await began(redis_of_jobs, ONE_EACH)
    [one, other] = await call(walk, 7, 7, knows=False)
    await redis_of_jobs.hset(f"{keys.Keys.RECORD}{one}", "expires", 9e14)  # type: ignore[misc]

    assert await walk.claim("w1") == 2
    record = await redis_of_jobs.hgetall(f"{keys.Keys.RECORD}{one}")  # type: ignore[misc]
    assert (record[b"keys"], record[b"attempts"], record.get(b"state")) == (b"|a=7", b"0", None)  # as new
    assert b"expires" in record
    await walk.settle()

    assert running(walk) == [one]
    assert await redis_of_jobs.hget(f"{keys.Keys.RECORD}{one}", "attempts") == b"1"  # type: ignore[misc]
    assert await walk.score(keys.Keys.BLOCKED, "a=7", other) is not None


async def test_a_durable_job_that_is_only_asked_for_its_keys_still_waits(redis_of_jobs: JobsRedis) -> None:
    """A limit by key was added while it slept. It goes on then, which is no start for its rate."""
    walk = await began(redis_of_jobs, rates=("1/h",))
    [name] = await call(walk, 7)
    await walk.claim("w1")
    job = walk.jobs[name]
    await walk.record(job, "SUSPENDED", [0, await now_ms(redis_of_jobs), "approval", 0])
    job.worker, job.buckets, walk.concurrency = "", ("a=7", ""), (ONE_EACH,)
    await walk.begin()

    for runs in ([], [name]):
        assert await walk.claim("w1") == 1
        assert running(walk) == runs
        for waits in (keys.Keys.AWAITING, keys.Keys.SUSPENDED):
            assert (await redis_of_jobs.zscore(waits, name) is None) == bool(runs)
        assert await redis_of_jobs.hexists(f"{keys.Keys.RECORD}{name}", "parked") != bool(runs)  # type: ignore[misc]


async def test_a_worker_that_knows_no_key_is_not_asked_again(redis_of_jobs: JobsRedis) -> None:
    """In a deploy, one of the old code declares nothing, and answers so."""
    walk = await began(redis_of_jobs, 2, ONE_EACH)
    [job] = await call(walk, 7, knows=False)
    await redis_of_jobs.hset(f"{keys.Keys.RECORD}{job}", "keys", "|")  # type: ignore[misc]

    await walk.claim("w1")

    assert running(walk) == [job]


@pytest.mark.parametrize("dies", [False, True])
async def test_a_declaration_that_changes_reaches_every_key_that_waits(redis_of_jobs: JobsRedis, dies: bool) -> None:
    """Also if the worker that has said so dies on the way: the next one that starts goes on."""
    walk = await began(redis_of_jobs, ONE_EACH)
    await call(walk, *[n for n in range(300) for _ in range(3)])
    while await walk.claim("w1", wanted=300):
        pass
    assert len(running(walk)) == 300

    walk.concurrency = (Limit(2, per="a"),)
    if dies:
        declared = b"\x91\x93\xa1a\xa0\xa12"
        assert await redis_of_jobs.run_script("set_limits", TASK, "", "keyed", declared) == 1
    await redis_of_jobs.declare_limits(TASK, None, walk.concurrency)
    while await walk.claim("w1", wanted=300):
        pass

    assert len(running(walk)) == 600
    assert not await redis_of_jobs.hexists(keys.Keys.LIMITS, f"{TASK}|recall")  # type: ignore[misc]


async def test_limits_that_are_gone_leave_nothing_behind(redis_of_jobs: JobsRedis) -> None:
    walk = await began(redis_of_jobs, 2, ONE_EACH, rates=(Limit("1/s", per="b"),))
    await call(walk, 1, 1, 2)
    await walk.claim("w1")

    walk.concurrency = walk.rates = ()
    await redis_of_jobs.declare_limits(TASK, None, None)
    await walk.drain()


async def test_a_limit_is_set_for_a_key_and_the_declared_one_counts_again(redis_of_jobs: JobsRedis) -> None:
    walk = await began(redis_of_jobs, ONE_EACH)
    await call(walk, 1, 1, 1, 2, 2)
    for most, runs in ((None, 2), (3, 4), (1, 4)):
        if most:
            walk.given["a=1"] = most
            await redis_of_jobs.run_script("set_limits", TASK, "a=1", "holders", most)
        await walk.settle()
        assert len(running(walk)) == runs
    walk.given.clear()
    await redis_of_jobs.run_script("set_limits", TASK, "a=1", "holders", "-")
    await walk.drain()
    assert not await redis_of_jobs.exists(f"{keys.Keys.OVERRIDES}{TASK}")


async def test_who_has_run_elsewhere_is_passed_over(redis_of_jobs: JobsRedis) -> None:
    """A worker of the last release knows no keys: it takes a job out of its queue, not out of the list of its key."""
    walk = await began(redis_of_jobs, ONE_EACH)
    first, gone, third = await call(walk, 1, 1, 1)
    await walk.settle()
    await redis_of_jobs.hset(f"{keys.Keys.RECORD}{gone}", "state", "SUCCESS")  # type: ignore[misc]
    await redis_of_jobs.zrem(keys.Keys.QUEUE, gone)
    await redis_of_jobs.delete(f"{keys.Keys.JOB}{gone}")
    del walk.jobs[gone]

    await walk.end(walk.jobs[first])
    await walk.settle()

    assert running(walk) == [third]
    await walk.drain()


@pytest.mark.parametrize("deaf", [1, 250, 2_000])
async def test_who_waits_in_a_paused_queue_keeps_no_place_from_others(redis_of_jobs: JobsRedis, deaf: int) -> None:
    """They are passed over, however deep that goes; of very many some at a time, with each renewal."""
    walk = await began(redis_of_jobs, 1, ONE_EACH)
    [first] = await call(walk, 0)
    await walk.settle()
    await call(walk, *range(1, deaf + 1), queue="other")
    [last] = await call(walk, deaf + 1)
    while await walk.is_anything_due():
        await walk.claim("w1", wanted=500)
    await walk.pause_queue()

    await walk.end(walk.jobs[first])
    await walk.claim("w1")
    while deaf > 300 and not running(walk):
        await redis_of_jobs.run_script("renew", "w1", 60_000, "default", 0, 0)
        await walk.claim("w1")

    assert running(walk) == [last]


@pytest.mark.parametrize("looks", [False, True])
async def test_a_call_that_is_lost_elsewhere_is_made_again_within_a_renewal(
    redis_of_jobs: JobsRedis, looks: bool
) -> None:
    """The job that was called ran on a worker that knows no keys: that calls nobody of its keys."""
    walk = await began(redis_of_jobs, ONE_EACH)
    first, called, third = await call(walk, 1, 1, 1)
    await walk.settle()
    await walk.end(walk.jobs[first])
    for key in (keys.Keys.JOB, keys.Keys.RECORD):
        await redis_of_jobs.delete(f"{key}{called}")
    await redis_of_jobs.zrem(keys.Keys.QUEUE, called)
    del walk.jobs[called]

    if looks:
        await redis_of_jobs.run_script("renew", "w1", 60_000, "default", 0, 0)
    await walk.claim("w1")

    assert running(walk) == [third] * looks


async def test_a_holder_that_ended_elsewhere_holds_its_place_until_somebody_looks(redis_of_jobs: JobsRedis) -> None:
    walk = await began(redis_of_jobs, ONE_EACH)
    [first] = await call(walk, 1)
    await walk.settle()
    await redis_of_jobs.hset(f"{keys.Keys.RECORD}{first}", "state", "SUCCESS")  # type: ignore[misc]
    await redis_of_jobs.delete(f"{keys.Keys.JOB}{first}", f"{keys.Keys.IN_PROGRESS}{first}")
    del walk.jobs[first]

    [second] = await call(walk, 1)
    await walk.settle()

    assert running(walk) == [second]


@pytest.mark.parametrize(("others", "most"), [(20, 40), (5, 6 * 5)])
async def test_rates_are_reached_together(redis_of_jobs: JobsRedis, others: int, most: int) -> None:
    """90 % of what is allowed at least: of all where there are many keys, of each where there are few."""
    walk = await began(redis_of_jobs, Limit(None, per="a"), rates=("40/m", Limit("5/m", per="a")))
    await call(walk, *[-1] * 60, *[n for n in range(others) for _ in range(20)])
    claims = 0
    while walk.now < 3 * 60_000:
        await walk.claim("w1", wanted=100)
        for job in running(walk):
            await walk.end(walk.jobs[job])
        await walk.pass_time(await walk.next_due_ms())
        claims += 1

    walk.check_rates()
    assert claims < 10 * len(walk.starts)
    assert len(walk.starts) >= 0.9 * most * walk.now / 60_000


@pytest.mark.parametrize("keyed", [b"", b"\xc1", b"\x91\x05", b"\x91\x91\xc0", b"\x93\x01\x02\x03", b"\x80", b"x" * 99])
@pytest.mark.parametrize("stored", ["", "|", "a", "=", "a=1|a=1|a=1", "|" * 5000, "x=" + "y" * 9999, "a=1&a=1"])
async def test_damage_stops_nobody(redis_of_jobs: JobsRedis, keyed: bytes, stored: str) -> None:
    walk = await began(redis_of_jobs, 1, ONE_EACH)
    await call(walk, 1, 1)
    await redis_of_jobs.hset(keys.Keys.LIMITS, f"{TASK}|keyed", keyed)  # type: ignore[misc]
    await redis_of_jobs.hset(f"{keys.Keys.RECORD}j1", "keys", stored)  # type: ignore[misc]
    await redis_of_jobs.set(f"{keys.Keys.OVERRIDES}{TASK}", "no hash")

    for _ in range(4):
        await walk.claim("w1")
        for job in running(walk):
            await walk.end(walk.jobs[job])

    assert not walk.jobs


async def test_a_worker_that_stood_still_takes_its_places_again(redis_of_jobs: JobsRedis) -> None:
    """Its job counts beside the one that has had its place meanwhile: no third starts until both have ended."""
    walk = await began(redis_of_jobs, 1)
    first, _ = [await walk.call({}, "default") for _ in range(2)]
    await walk.claim("w1", wanted=1)
    token = first.token
    await walk.kill(first)
    for _ in range(2):
        await walk.claim("w2", suspects=0)  # may take over nothing more
    assert len(running(walk)) == 1

    assert await redis_of_jobs.run_script("renew", "w1", 60_000, "default", 0, 0, first.id, token) == [[], []]

    assert await redis_of_jobs.scard(redis_of_jobs.key.HOLDERS + TASK) == 2


@pytest.mark.parametrize("is_paused", [True, False])
async def test_a_plain_limit_passes_over_queues_that_nobody_claims_from(
    redis_of_jobs: JobsRedis, is_paused: bool
) -> None:
    """Whether they were left before the call or, as a renewal sees, after it."""
    for before in (True, False):
        walk = await began(redis_of_jobs, 1)
        first = await walk.call({}, "default")
        await walk.claim("w1")
        for queue in ("other", "other", "default"):
            last = await walk.call({}, queue)
        await walk.claim("w1")  # all wait
        if not before:
            await walk.end(first)
        if is_paused:
            await walk.pause_queue()
        else:
            await redis_of_jobs.zrem(redis_of_jobs.key.SERVED, "other")
        if before:
            await walk.end(first)
        else:
            await redis_of_jobs.run_script("renew", "w1", 60_000, "default", 0, 0)
        await walk.claim("w2", ("default",))
        assert running(walk) == [last.id], before
        await redis_of_jobs.flushdb()
