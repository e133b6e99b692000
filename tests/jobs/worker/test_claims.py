"""What one claim gives, whatever others have left of its jobs."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.jobs.worker.tasks import multiply


@task(name="tests.alone", max_concurrency=1)
async def alone() -> None: ...


async def claim(connection: JobsRedis, worker: str, wanted: int = 9) -> tuple[list[str], list[Any]]:
    """The ids that a claim gives, and its answer."""
    answer = await connection.run_script("claim", worker, f"{worker}:1", 60_000, wanted, 1, "default")
    return [row[0].decode() for row in answer[0]], answer


async def lapse(redis: Redis, job_id: str) -> None:
    """What is left of a claim when its lease has ended, while other workers have been there all the time."""
    await redis.delete(Keys.IN_PROGRESS + job_id)
    for key in (Keys.QUEUE, f"{Keys.LEASES}default"):
        await redis.zadd(key, {job_id: 1})
    await redis.hset(Keys.ALIVE, "back", 0)


async def test_a_lapsed_job_that_is_given_again_is_held_for_the_rest_of_the_claim(
    redis: Redis, connection: JobsRedis
) -> None:
    """It is due as well, and it has the only place of its task: neither it nor the place is given twice."""
    await connection.declare_limits("tests.alone", None, 1)
    held, waits = await alone.delay(), await alone.delay()
    assert (await claim(connection, "killed"))[0] == [held.id]
    await lapse(redis, held.id)
    newcomer = await alone.delay()

    assert (await claim(connection, "next"))[0] == [held.id]

    assert await redis.smembers(f"{Keys.HOLDERS}tests.alone") == {held.id.encode()}
    waiting = await redis.zrange(f"{Keys.BLOCKED}tests.alone", 0, -1)
    assert {job_id.decode() for job_id in waiting} == {waits.id, newcomer.id}
    assert await redis.hget(Keys.RECORD + held.id, "owner") == b"next:1"


async def test_what_a_worker_of_an_earlier_release_left_of_a_job_goes_when_it_is_taken_over(
    redis: Redis, connection: JobsRedis
) -> None:
    jobs = [await multiply.delay(1, n) for n in range(2)]
    await claim(connection, "killed")
    for job in jobs:
        await redis.set(Keys.RETRY + job.id, 1)
        await redis.hset(f"{Keys.RUNNING}killed", job.id, "killed:1")
        await lapse(redis, job.id)
    await redis.hset(Keys.RECORD + jobs[1].id, "revoked", "yes")

    given = [job_id for n in range(2) for job_id in (await claim(connection, f"next {n}"))[0]]

    assert sorted(given) == sorted(job.id for job in jobs)
    assert await redis.keys(f"{Keys.RETRY}*") == []
    assert await redis.keys(f"{Keys.RUNNING}*") == []


async def test_what_is_wrong_with_one_of_many_is_its_own_affair(redis: Redis, connection: JobsRedis) -> None:
    """Payloads and claims are read many at once."""
    jobs = [await multiply.delay(1, n) for n in range(5)]
    listed, missing, held, *good = (job.id for job in jobs)
    await redis.delete(*(Keys.JOB + job_id for job_id in (listed, missing)))
    await redis.rpush(Keys.JOB + listed, "x")
    await redis.set(Keys.IN_PROGRESS + held, 1)  # by a stock arq worker

    given, (rows, _, _, foreign, unreadable, wrong_type, _) = await claim(connection, "w")

    assert given == [missing, *good]
    assert [row[6:7] for row in rows] == [[b"missing"], [], []]
    assert (foreign, unreadable, wrong_type) == ([held.encode()], [], 1)
    await redis.delete(Keys.JOB + listed, Keys.IN_PROGRESS + held)


async def test_a_claim_reads_no_more_calls_than_it_may_give(redis: Redis, connection: JobsRedis) -> None:
    jobs = [await multiply.delay(1, n) for n in range(5)]
    await redis.set(Keys.IN_PROGRESS + jobs[0].id, 1)
    await redis.config_resetstat()

    given, (_, _, left_behind, *_) = await claim(connection, "w", 2)

    assert given == [jobs[1].id, jobs[2].id]
    assert left_behind
    stats = await redis.info("commandstats")
    assert stats["cmdstat_mget"]["calls"] == 3  # one of them is the clock
    await redis.delete(Keys.IN_PROGRESS + jobs[0].id)


async def test_the_leases_of_a_large_claim_are_no_list_that_each_write_goes_through(
    redis: Redis, connection: JobsRedis
) -> None:
    jobs = [await multiply.delay(1, n) for n in range(21)]

    given, _ = await claim(connection, "w", 21)

    assert await redis.object("encoding", f"{Keys.LEASES}default") == b"skiplist"
    assert {job_id.decode() for job_id in await redis.zrange(f"{Keys.LEASES}default", 0, -1)} == set(given)
    assert sorted(given) == sorted(job.id for job in jobs)
