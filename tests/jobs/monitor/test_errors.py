"""Groups of failed attempts: what a window shows of them, what an operator says of them, and what bounds them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.errors import WrongValue
from jobs.monitor import find, now, rows_of
from jobs.monitor_site import error, errors, mark_error, parse
from jobs.store import keys
from jobs.store.keys import Keys
from jobs.worker.execution.claimed_job import FAILURE, RETRY, SUCCESS, CallData, ClaimedJob, HeldJob, Outcome
from jobs.worker.execution.outcome_encoding import OutcomeEncoder
from tests.jobs.store.hostile import write_garbage, write_wrong
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker, stop_at_once
from tests.waiting import wait_until

H = timedelta(hours=1)


@task(name="errors.fail")
async def fail(text: str) -> None:
    raise LookupError(text)


Fail = Callable[..., Awaitable[list[str]]]


@pytest.fixture(autouse=True)
async def begin(redis: Redis) -> None:
    await at(redis, 0)


@pytest.fixture
async def fails(start_worker: StartWorker) -> Fail:
    """Run jobs that fail with these messages; returns their ids."""
    await start_worker(tasks=[fail, *tasks.ALL])

    async def run(*messages: str) -> list[str]:
        results = [await fail.delay(message) for message in messages]
        for result in results:
            assert isinstance(await result.get(timeout=10, propagate=False), LookupError)
        return [result.id for result in results]

    return run


async def at(redis: Redis, minutes: int) -> None:
    """Move the clock of every script to the begin of a minute, so that none ends in the middle of a test."""
    await redis.set(Keys.CLOCK, minutes * 60_000 + 60_000 - int(time.time() * 1000) % 60_000)


async def test_a_window_counts_what_failed_in_it(connection: JobsRedis, redis: Redis, fails: Fail) -> None:
    assert await errors(connection) == []
    await fails("no card 1", "no card 2", "no bank")
    await at(redis, 120)
    old = await fails("no card 3")
    await at(redis, 130)
    latest = await fails("no card 4", "no card 5")

    [hour] = await errors(connection)
    [day, bank] = await errors(connection, since=24 * H)

    assert (hour.type, hour.message, hour.task, hour.state) == ("LookupError", "no card …", "errors.fail", "open")
    assert (hour.count, hour.total, day.count) == (3, 5, 5)
    assert [n for n in hour.counts if n] == [1, 2]
    assert (len(hour.counts), hour.counts[-1], hour.counts[-11]) == (60, 2, 1)
    assert (len(day.counts) in (24, 25), sum(day.counts[-4:])) == (True, 5)
    assert hour.last - hour.first > timedelta(minutes=129)
    assert set(hour.jobs[:2]) == set(latest)
    assert hour.jobs[2] == old[0]
    assert (bank.message, bank.count) == ("no bank", 1)
    assert await error(connection, hour.id, H) == hour
    jobs = await rows_of(connection, list(hour.jobs))
    assert [job.id for job in jobs] == list(hour.jobs)
    assert jobs[0].error in ("LookupError: no card 4", "LookupError: no card 5")
    assert await error(connection, "0123456789abcdef") is None


async def test_a_group_has_the_versions_that_it_came_with(
    connection: JobsRedis, start_worker: StartWorker, redis: Redis
) -> None:
    for version in ("1.0", "1.1"):
        worker = await start_worker(tasks=[fail], version=version)
        await wait_until(lambda: redis.exists(f"{Keys.WORKER}{worker.statistics().name}"), "it to be known")  # noqa: B023
        await (await fail.delay("a")).get(timeout=10, propagate=False)
        await stop_at_once(worker)

    [group] = await errors(connection)

    assert (group.first_version, group.last_version, group.count) == ("1.0", "1.1", 2)


async def test_the_jobs_of_a_group_are_found_by_its_id(connection: JobsRedis, fails: Fail) -> None:
    wanted = await fails("no card 1", "no card 2")
    await fails("no bank")
    [group] = [one for one in await errors(connection) if one.message == "no card …"]

    found = await find(connection, parse(f"error:{group.id}").wanted(await now(connection)))

    assert {row.id for row in found.rows} == set(wanted)


@pytest.mark.parametrize(("sort", "first"), [("count", "many"), ("last", "last"), ("first", "last")])
async def test_they_are_sorted(connection: JobsRedis, redis: Redis, fails: Fail, sort: str, first: str) -> None:
    await fails("many", "many")
    await at(redis, 1)
    await fails("last")

    found = await errors(connection, sort=sort)

    assert found[0].message == first
    assert len(found) == 2


async def test_one_that_was_resolved_comes_back(connection: JobsRedis, fails: Fail) -> None:
    await fails("a", "b")
    [group, _] = sorted(await errors(connection), key=lambda one: one.message)

    assert await mark_error(connection, group.id, "resolved")
    assert [one.message for one in await errors(connection)] == ["b"]
    [resolved] = await errors(connection, state="resolved")
    assert (resolved.id, resolved.state, resolved.came_back) == (group.id, "resolved", None)

    await fails("a")
    [again] = [one for one in await errors(connection) if one.id == group.id]
    assert (again.state, again.count) == ("open", 2)
    assert again.came_back == again.last
    assert await mark_error(connection, group.id, "open")
    assert (await error(connection, group.id)).came_back is None  # type: ignore[union-attr]


async def test_one_that_is_ignored_stays_so_until_there_are_more_in_a_minute(
    connection: JobsRedis, redis: Redis, fails: Fail
) -> None:
    await fails("a", "a", "a")
    [group] = await errors(connection)
    await mark_error(connection, group.id, "ignored")
    await fails("a")
    assert await errors(connection) == []

    await mark_error(connection, group.id, "ignored", above=2)
    await at(redis, 1)
    await fails("a", "a")
    assert [(one.state, one.above, one.count) for one in await errors(connection, state="all")] == [("ignored", 2, 6)]
    await fails("a")
    [back] = await errors(connection)
    assert back.came_back == back.last


async def test_nothing_else_can_be_said_of_one(connection: JobsRedis, redis: Redis) -> None:
    assert not await mark_error(connection, "nobody", "resolved")
    assert not await redis.keys("jobs:error:*")
    for wrong in (
        mark_error(connection, "x", "gone"),
        mark_error(connection, "x", "ignored", -1),
        errors(connection, state="gone"),
        errors(connection, sort="name"),
        errors(connection, since=-H),
    ):
        with pytest.raises(WrongValue, match="="):
            await wrong


async def test_a_job_that_succeeds_leaves_nothing_of_it(connection: JobsRedis, redis: Redis, fails: Fail) -> None:
    result = await tasks.multiply.delay(2, 3)
    assert await result.get(timeout=10) == 6

    assert not await redis.keys("jobs:error*")
    assert not await redis.hexists(f"jobs:job:{result.id}", "error")


def in_letters(n: int) -> str:
    """Another word for each number."""
    return str(n).translate(str.maketrans("0123456789", "abcdefghij"))


async def record(connection: JobsRedis, *outcomes: Outcome, times: int = 1) -> None:
    """Record ends of jobs as a worker does, *times* times if its answer is lost."""
    encoder, rows = OutcomeEncoder(connection, "w"), []
    for n, outcome in enumerate(outcomes):
        job = ClaimedJob(str(n), "default", b"", token="t")
        await connection.hset(f"{Keys.RECORD}{job.id}", mapping={"state": "STARTED", "owner": "t", "task": "t"})
        rows += encoder.row(HeldJob(job, None, connection, None, {}, call=CallData("t")), outcome)  # type: ignore[arg-type]
    for _ in range(times):
        await connection.run_script("finish", "w", keys.HISTORY_LENGTH, "", *rows)


def failures(first: int, last: int) -> list[Outcome]:
    return [Outcome(FAILURE, ValueError(in_letters(n)), keep_s=0) for n in range(first, last)]


async def test_a_flood_of_errors_does_not_fill_redis(connection: JobsRedis, redis: Redis) -> None:
    for minute in range(3):
        await at(redis, minute)
        await record(connection, *failures(500 * minute, 500 * minute + 500))

    found = await errors(connection)
    groups = [key async for key in redis.scan_iter("jobs:error:*", count=1000)]
    assert (len(found), len(groups), await redis.zcard(Keys.ERRORS)) == (1000, 1000, 1000)
    assert in_letters(499) not in [one.message for one in found]
    assert in_letters(500) in [one.message for one in found]
    minutes, hours = await redis.keys("jobs:errors:1:*"), await redis.keys("jobs:errors:60:*")
    assert len(minutes) == 3
    for key in hours:
        assert await redis.hlen(key) <= keys.ERROR_GROUPS
    for key in minutes:
        assert await redis.hlen(key) == keys.ERRORS_IN_MINUTE
        assert 0 < await redis.ttl(key) <= keys.STATS_KEPT_S
        assert await redis.object("encoding", key) == b"listpack"


async def test_an_outcome_that_is_recorded_again_is_counted_once(connection: JobsRedis) -> None:
    again = Outcome(RETRY, ValueError("a"), delay_s=60)

    await record(connection, *failures(0, 2), again, again, Outcome(SUCCESS, 1), times=2)

    found = await errors(connection)
    assert {(one.message, one.count) for one in found} == {("a", 3), ("b", 1)}


async def test_tasks_classes_and_messages_make_groups_of_their_own(connection: JobsRedis) -> None:
    await record(
        connection, *(Outcome(FAILURE, kind(text)) for kind in (ValueError, KeyError) for text in ("a 1", "b 2", "a 3"))
    )

    found = await errors(connection)

    assert sorted((one.type, one.message, one.count) for one in found) == [
        ("KeyError", "…", 3), ("ValueError", "a …", 2), ("ValueError", "b …", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("write", [write_wrong, write_garbage])
async def test_what_others_write_over_these_keys_stops_nothing(
    connection: JobsRedis, redis: Redis, fails: Fail, write: Callable[[Redis, bytes, str], Any]
) -> None:
    await fails("a")
    [group] = await errors(connection)
    counts = await redis.keys(f"{Keys.ERRORS_OF}*")
    assert len(counts) == 2

    hashes = [f"{Keys.ERROR}{group.id}".encode(), *counts]
    for key, kind in ((Keys.ERRORS.encode(), "zset"), *((key, "hash") for key in hashes)):
        await write(redis, key, kind)
        for _ in range(2):
            await errors(connection)
            await error(connection, group.id)
            await fails("a")
        assert group.id in [one.id for one in await errors(connection, state="all")]
        await mark_error(connection, group.id, "open")

    assert (await error(connection, group.id)).count > 1  # type: ignore[union-attr]
