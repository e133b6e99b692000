"""Stock arq workers and producers beside a worker with `accept_pickle=True`: a job runs once, all read its result."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.cron import cron
from arq.jobs import DeserializationError, Job, JobStatus, SerializationError
from arq.worker import JobExecutionFailed, Retry, func
from redis.asyncio import Redis

from jobs import Result, connect
from jobs.client.connection import JobsRedis
from jobs.contrib import pickled
from jobs.worker import Worker
from tests.jobs.worker.arq_tasks import T, enough
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until

ran: list[Any] = []
"""What the functions note: `gate` of them wait until a test opens it."""
gate = asyncio.Event()


@dataclasses.dataclass
class Order:
    """What only pickle carries."""

    number: int


class Declined(Exception):
    """Of the application, with other arguments than it keeps."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"{number}: {why}")


class NoFunds(Exception):
    pass


async def tries(ctx: dict[Any, Any], needed: int) -> int:
    ran.append(ctx["job_try"])
    if ctx["job_try"] < needed:
        raise Retry
    return int(ctx["job_try"])


async def waits(ctx: dict[Any, Any], name: Any = "") -> Any:
    ran.append(name or ctx["job_id"])
    await gate.wait()
    return name


async def gives(ctx: dict[Any, Any], value: Any) -> Any:
    ran.append(ctx["job_id"])
    if isinstance(value, BaseException):
        raise value
    return value


async def declines(ctx: dict[Any, Any]) -> None:
    raise Declined(1, "no")


async def gives_a_lock(ctx: dict[Any, Any]) -> Any:
    return threading.Lock()


async def fans_out(ctx: dict[Any, Any], value: Any) -> Any:
    job = await ctx["redis"].enqueue_job("gives", value)
    return await job.result(timeout=T, poll_delay=0.02)


FUNCTIONS = [func(tries, max_tries=4), waits, gives, declines, gives_a_lock, fans_out]
StartStock = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def opened() -> None:
    ran.clear()
    gate.clear()


def settings_of(url: str) -> RedisSettings:
    return RedisSettings(unix_socket_path=url.removeprefix("unix://"))


@pytest.fixture
async def before(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A producer that nobody has changed."""
    pool = await create_pool(settings_of(redis_url))
    yield pool
    await pool.aclose()


@pytest.fixture
async def start_stock(redis_url: str) -> AsyncIterator[StartStock]:
    """Start a worker of arq's own, in this process."""
    started = list[Any]()

    async def start(**options: Any) -> Any:
        known = {"functions": FUNCTIONS, "poll_delay": 0.02, "allow_abort_jobs": True, "handle_signals": False}
        worker = Worker(**{**known, **options}, redis_settings=settings_of(redis_url))  # type: ignore[arg-type]
        assert not isinstance(worker, Worker)
        started.append(worker)
        worker.main_task = asyncio.create_task(worker.main())
        return worker

    yield start
    for worker in started:
        await stop(worker)


async def stop(worker: Any) -> None:
    """Once its jobs have ended. One that is cancelled while it connects leaves a socket open."""
    gate.set()
    worker.burst, worker.max_burst_jobs = True, 0
    await worker.main_task
    await worker.close()


def ours(**options: Any) -> dict[str, Any]:
    return enough(functions=FUNCTIONS, accept_pickle=True, poll_delay=0.02, **options)


async def test_the_count_of_tries_goes_on_in_our_worker(
    redis: Redis, before: ArqRedis, start_worker: StartWorker
) -> None:
    """Also of one that has none left. Stock workers note in `arq:retry:<id>` how often they have run a job."""
    worker = await start_worker(**ours(queue_name="arq:queue:mine", queues=["default"]))
    for producer in (before, worker.pool):
        for tried, seen in ((2, [3, 4]), (4, [])):
            ran.clear()
            job = await producer.enqueue_job("tries", 4, _defer_by=T)
            assert job is not None
            await redis.set(f"arq:retry:{job.job_id}", tried)
            await redis.zadd(producer.default_queue_name, {job.job_id: 1})
            if seen:
                assert await job.result(timeout=T, poll_delay=0.02) == 4
            else:
                with pytest.raises(JobExecutionFailed, match="max 4 retries exceeded"):
                    await job.result(timeout=T, poll_delay=0.02)
            assert ran == seen
    assert not await redis.keys("arq:retry:*")


@pytest.mark.parametrize("count", [b"-1", b"x", b"1e300", b"9" * 400, None])
async def test_a_count_that_is_none_counts_as_none(
    redis: Redis, before: ArqRedis, start_worker: StartWorker, count: bytes | None
) -> None:
    job = await before.enqueue_job("tries", 1)
    assert job is not None
    key = f"arq:retry:{job.job_id}"
    await (redis.rpush(key, "a list") if count is None else redis.set(key, count))  # type: ignore[misc]  # its stub
    await start_worker(**ours())

    assert await job.result(timeout=T, poll_delay=0.02) == 1


async def test_abort_reaches_the_worker_that_runs_the_job(
    redis: Redis, before: ArqRedis, start_worker: StartWorker, start_stock: StartStock
) -> None:
    """Ours or stock, while the other looks at arq's list too; and nothing stays there that would hit a later job."""
    await start_stock(queue_name="stock", max_jobs=1)
    await start_worker(**ours(queue_name="ours", queues=["stock"], lease_renewal=0.05, max_jobs=1))
    first = await before.enqueue_job("waits", _queue_name="ours")  # ours is busy: only the stock worker takes the next
    await wait_until(lambda: len(ran) == 1, "our worker to run the first")
    second = await before.enqueue_job("waits", _queue_name="stock")
    await wait_until(lambda: len(ran) == 2, "the stock worker to run the second")
    waiting = await before.enqueue_job("waits", _queue_name="stock", _defer_by=T)

    for job in (second, first, waiting):
        assert job is not None
        assert await job.abort(timeout=T, poll_delay=0.02) is True
        assert await job.status() == JobStatus.complete
    assert len(ran) == 2
    assert not await redis.exists("arq:abort")
    gate.set()
    for job in (first, second, waiting):
        assert job is not None
        await redis.delete(f"arq:result:{job.job_id}")
        again = await before.enqueue_job("waits", "again", _job_id=job.job_id, _queue_name="stock")
        assert again is not None
        assert await again.result(timeout=T, poll_delay=0.02) == "again"


async def test_an_abort_of_a_waiting_job_is_kept_for_whoever_takes_it(
    redis: Redis, before: ArqRedis, start_worker: StartWorker, start_stock: StartStock
) -> None:
    """Our worker has no free slot and has seen the list; a stock one takes the job."""
    await start_worker(**ours(lease_renewal=0.05, max_jobs=1))
    running = await before.enqueue_job("waits")
    await wait_until(lambda: ran, "our worker to be busy")
    job = await before.enqueue_job("waits")
    assert job is not None
    assert running is not None
    await redis.zadd("arq:abort", {job.job_id: 1})
    await wait_until(lambda: is_later(redis, job.job_id), "our worker to look at the list")
    await start_stock()

    with pytest.raises(asyncio.CancelledError):
        await job.result(timeout=T, poll_delay=0.02)
    assert ran == [running.job_id]
    assert not await redis.exists("arq:abort")


async def is_later(redis: Redis, job_id: str) -> bool:
    return await redis.zscore("arq:abort", job_id) != 1


async def test_a_moment_of_a_cron_job_runs_once(start_worker: StartWorker, start_stock: StartStock) -> None:
    async def note(ctx: dict[Any, Any]) -> None:
        ran.append(ctx["job_id"])

    def every_second() -> list[Any]:
        return [cron(note, name="cron:note", second=set(range(60)), microsecond=999_999)]

    await start_stock(cron_jobs=every_second())
    await start_worker(**ours(cron_jobs=every_second()))
    await wait_until(lambda: len(ran) >= 3, "three moments")

    assert set(Counter(ran).values()) == {1}


async def test_what_a_stock_worker_has_ended_stays_ended(
    redis: Redis, redis_url: str, before: ArqRedis, start_worker: StartWorker, start_stock: StartStock
) -> None:
    """A job whose worker, ours, was killed: a stock one takes it when the lease has lapsed, and before ours do."""
    job = await before.enqueue_job("gives", 5)
    assert job is not None
    lost = {"state": "STARTED", "owner": "gone:1", "worker": "gone", "attempts": 1, "received": 1, "queue": "default"}
    await redis.hset(f"jobs:job:{job.job_id}", mapping=lost | {"enqueued": 1})  # type: ignore[misc]  # its stub
    await redis.zadd("jobs:leases:default", {job.job_id: 1})
    await start_stock()
    assert await job.result(timeout=T, poll_delay=0.02) == 5
    await redis.hset("jobs:alive", mapping={"seen": 2**50, "back": 1})  # type: ignore[misc]  # its stub
    await start_worker(**ours())

    await wait_until(lambda: is_forgotten(redis, job.job_id), "our worker to look at its lease")
    assert await job.result(timeout=T) == 5
    async with connect(redis_url, job_deserializer=pickle.loads):
        assert await Result(job.job_id).get(timeout=T) == 5
    assert ran == [job.job_id]


async def is_forgotten(redis: Redis, job_id: str) -> bool:
    return not await redis.exists(f"jobs:job:{job_id}", "jobs:leases:default")


@pytest.mark.parametrize("value", [5, Order(7), (1, {"a": {2}}), "\ud800", [Order(1)]], ids=repr)
async def test_both_kinds_run_what_the_other_fans_out(
    redis: Redis, before: ArqRedis, start_worker: StartWorker, start_stock: StartStock, value: Any
) -> None:
    """The parent has its worker to itself; its child runs on the other one."""
    for ours_first in (True, False):
        queue = {"queue_name": f"arq:queue:{ours_first}"}
        start: list[Any] = [partial(start_worker, **ours(**queue)), partial(start_stock, **queue)]
        start_parent, start_child = start if ours_first else reversed(start)
        parent = await start_parent(functions=[fans_out], max_jobs=1)
        job = await before.enqueue_job("fans_out", value, _queue_name=queue["queue_name"])
        assert job is not None
        await wait_until(partial(has_two, redis, queue["queue_name"]), "the parent to have called its child")
        child = await start_child(functions=[gives])

        assert await job.result(timeout=T, poll_delay=0.02) == value
        for worker in (parent, child):
            await (worker.close() if isinstance(worker, Worker) else stop(worker))


async def has_two(redis: Redis, queue: str) -> bool:
    return await redis.zcard(queue) == 2


ONLY_FUNCTIONS = (
    "arq_options.nap is a task: accept_pickle=True reads pickled jobs for functions=[...] alone: put it back there"
)
NOTHING_CARRIES = (
    "EncodingError: the result of gives_a_lock cannot be stored: pickle cannot carry it either: "
    "cannot pickle '_thread.lock' object"
)
ANSWERS: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "what both carry": ("gives", ((1, "a", None),), (1, "a", None)),
    "what only pickle carries": ("gives", (Order(7),), Order(7)),
    "half a pair": ("gives", ("\ud800",), "\ud800"),
    "builtin": ("gives", (ValueError("no"),), ValueError("no")),
    "of the application": ("gives", (NoFunds(7),), NoFunds(7)),
    "that pickle cannot rebuild": ("declines", (), JobExecutionFailed("Declined: 1: no")),
    "what nothing carries": ("gives_a_lock", (), JobExecutionFailed(NOTHING_CARRIES)),
    "no tries left": ("tries", (9,), JobExecutionFailed("max 4 retries exceeded")),
    "unknown": ("nobody", (), JobExecutionFailed("UnknownTask: no worker knew the task 'nobody' for 0 s")),
    "of a task": ("arq_options.nap", (0,), DeserializationError(ONLY_FUNCTIONS)),
}


async def test_a_producer_that_nobody_has_changed_reads_every_end(
    redis: Redis, redis_url: str, before: ArqRedis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(**ours(unknown_task_patience=0))
    changed = await create_pool(settings_of(redis_url), job_serializer=pickled.dumps, job_deserializer=pickled.loads)
    for pool in (before, changed):
        for name, (function, args, expected) in ANSWERS.items():
            if (pool, name) == (changed, "of a task"):
                continue  # it is a call in msgpack too, and runs
            job = await pool.enqueue_job(function, *args)
            assert job is not None
            try:
                answer: Any = await job.result(timeout=T, poll_delay=0.02)
            except Exception as error:
                answer = error
            assert (type(answer), str(answer)) == (type(expected), str(expected)), name
            for reader in (before, changed):
                info = await Job(job.job_id, reader, _deserializer=reader.job_deserializer).result_info()
                assert info is not None
                assert info.success is not isinstance(answer, BaseException)
                assert (info.function, str(info.args)) == (function, str(args)), name
            assert (await Result(job.job_id).state() == "SUCCESS") is info.success
    results = await before.all_job_results()
    assert len(results) == 2 * len(ANSWERS) - 1
    await changed.aclose()


async def test_the_waiting_jobs_of_both_are_listed_by_arq(
    redis_url: str, before: ArqRedis, start_worker: StartWorker
) -> None:
    worker = await start_worker(**ours(queue_name="arq:queue:mine"))
    for pool in (before, worker.pool):
        await pool.enqueue_job("gives", Order(1), _defer_by=T, _queue_name="arq:queue:mine")
        await pool.enqueue_job("gives", 2, _defer_by=T, _queue_name="arq:queue:mine")
    for pool in (before, worker.pool):
        listed = await pool.queued_jobs(queue_name="arq:queue:mine")
        assert Counter(str(job.args) for job in listed) == {"(Order(number=1),)": 2, "(2,)": 2}


async def test_a_stock_worker_runs_calls_in_msgpack_if_it_is_given_what_reads_them(
    redis_url: str, before: ArqRedis, start_stock: StartStock
) -> None:
    """Of a team that goes back to arq, with calls that wait: without it they fail, and are gone."""
    for deserializer, answer in ((pickled.loads, "ours"), (None, DeserializationError("unable to deserialize job"))):
        async with connect(redis_url) as connection:
            job = await connection.enqueue_job("gives", "ours")
        assert job is not None
        stock = await start_stock(job_deserializer=deserializer)
        try:
            told: Any = await Job(job.job_id, before).result(timeout=T, poll_delay=0.02)
        except SerializationError as error:
            told = error
        assert (type(told), str(told)) == (type(answer), str(answer))
        await stop(stock)
