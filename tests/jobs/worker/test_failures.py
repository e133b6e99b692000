"""Every way in which an attempt can fail, and the group that it is noted in: one, with its class and its place."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import arq.worker
from arq.worker import func
from redis.asyncio import Redis

from jobs import Result, chain, encoding, group, task
from jobs.client.connection import JobsRedis
from jobs.monitor_site import errors
from jobs.store import default
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


class Declined(Exception):
    pass


class Odd(type):
    @property
    def __module__(cls) -> str:
        raise RuntimeError("this class does not say where it is from")


class Hurting(Exception, metaclass=Odd):
    pass


def deepest(text: str = "no luck") -> None:
    raise Declined(text)


@task(name="failures.plain")
async def plain() -> None:
    deepest()


@task(name="failures.library")
async def in_library() -> None:
    encoding.loads(b"")


@task(name="failures.thread")
def in_thread() -> None:
    deepest()


@task(name="failures.process", process=True)
def in_process() -> None:
    deepest()


@task(name="failures.died", process=True, acks_late=False)
def died() -> None:
    os._exit(3)


@task(name="failures.killed", process=True, time_limit=0.1)
def killed() -> None:
    time.sleep(60)


@task(name="failures.exits")
async def exits() -> None:
    raise SystemExit(3)


@task(name="failures.hurting")
async def hurting() -> None:
    raise Hurting("x")


@task(name="failures.groups")
async def groups() -> None:
    async with asyncio.TaskGroup() as inner:
        inner.create_task(asyncio.to_thread(deepest))


@task(name="failures.auto", autoretry_for=(Declined,), max_retries=2, default_retry_delay=0)
async def auto() -> None:
    deepest()


@task(name="failures.asks", bind=True, max_retries=1, default_retry_delay=0)
async def asks(self: Any) -> None:
    try:
        deepest()
    except Declined:
        self.retry()


@task(name="failures.asks_with", bind=True, max_retries=1, default_retry_delay=0)
async def asks_with(self: Any) -> None:
    self.retry(exc=Declined("made for it"))


@task(name="failures.polls", bind=True, max_retries=1, default_retry_delay=0)
async def polls(self: Any) -> None:
    self.retry()


@task(name="failures.late", time_limit=0.05)
async def late() -> None:
    await asyncio.sleep(60)


@task(name="failures.soft", soft_time_limit=0.05)
async def soft() -> None:
    await asyncio.sleep(60)


@task(name="failures.late_thread", time_limit=0.05)
def late_thread() -> None:
    time.sleep(0.3)


@task(name="failures.unstorable")
async def unstorable() -> Any:
    return object()


@task(name="failures.large")
async def large() -> str:
    return "x" * 300_000


@task(name="failures.strict", strict=True)
async def strict(number: int) -> None: ...


@task(name="failures.killer")
async def killer() -> None: ...


@task(name="failures.fine")
async def fine(*results: Any) -> None: ...


@task(name="failures.waits")
async def waits() -> None:
    await (await in_thread.apply_async(task_id="child")).get(timeout=10)


async def of_arq(ctx: Any) -> None:
    deepest()


async def arq_late(ctx: Any) -> None:
    await asyncio.sleep(60)


async def arq_again(ctx: Any) -> None:
    if ctx["job_try"] < 2:
        raise arq.worker.Retry
    try:
        deepest()
    except Declined as error:
        raise arq.worker.Retry from error


TASKS = [
    plain, in_library, in_thread, in_process, died, killed, exits, hurting, groups, auto, asks, asks_with, polls, late,
    soft, late_thread, unstorable, large, strict, killer, fine, waits,
]  # fmt: skip
FUNCTIONS = [of_arq, func(arq_late, timeout=1), func(arq_again, max_tries=2)]


def of_arqs_client(name: str) -> Callable[[], Awaitable[Result]]:
    """A call by a client that does not know the task."""

    async def call() -> Result:
        called = await default.current().enqueue_job(name)
        assert called
        return Result(called.job_id)

    return call


async def poisoned() -> Result:
    """It has killed its workers, and ends unstarted."""
    result = await killer.apply_async(countdown=0.3)
    await default.current().hset(f"{Keys.RECORD}{result.id}", mapping={"state": "PENDING", "crashes": 3})
    return result


def stored(payload: bytes) -> Callable[[], Awaitable[Result]]:
    """A call that somebody else has written."""

    async def call() -> Result:
        result = await fine.apply_async(countdown=0.3)
        await default.current().set(f"{Keys.JOB}{result.id}", payload)
        return result

    return call


MISFIT = encoding.dumps({"t": None, "f": "failures.strict", "a": ["x"], "k": {}, "et": 1})


async def without_payload() -> Result:
    """Somebody has deleted what it is called with: nobody knows it until a worker ends it."""
    connection, result = default.current(), await fine.apply_async(countdown=0.3)
    await connection.delete(f"{Keys.JOB}{result.id}")

    async def ended() -> bool:
        return bool(await connection.zscore(Keys.HISTORY, result.id))

    await wait_until(ended, "a worker to end it")
    return result


OWN = f"{__name__}.Declined"
GIVEN_UP = "MaxRetriesExceeded"
NOT_RUN = "arq.worker.JobExecutionFailed"
Row = tuple[str, str, str]  # Task, class and place.


def at(function: str) -> str:
    return f"worker/test_failures.py in {function}"


CAUGHT: list[tuple[Callable[[], Any], list[Row]]] = [
    (plain.delay, [("failures.plain", OWN, at("deepest"))]),
    (in_library.delay, [("failures.library", "EncodingError", at("in_library"))]),
    (in_process.delay, [("failures.process", OWN, at("deepest"))]),
    (died.delay, [("failures.died", "WorkerLost", "")]),
    (killed.delay, [("failures.killed", "TimeLimitExceeded", "")]),
    (exits.delay, [("failures.exits", "SystemExit", at("exits"))]),
    (hurting.delay, [("failures.hurting", "EncodingError", "")]),
    (groups.delay, [("failures.groups", "ExceptionGroup", at("groups"))]),
    (auto.delay, [("failures.auto", OWN, at("deepest"))] * 3),
    (asks.delay, [("failures.asks", OWN, at("deepest"))] * 2),
    (asks_with.delay, [("failures.asks_with", OWN, at("asks_with"))] * 2),
    (polls.delay, [("failures.polls", GIVEN_UP, at("polls"))]),
    (late.delay, [("failures.late", "TimeLimitExceeded", at("late"))]),
    (soft.delay, [("failures.soft", "SoftTimeLimitExceeded", at("soft"))]),
    (late_thread.delay, [("failures.late_thread", "TimeLimitExceeded", "")]),
    (unstorable.delay, [("failures.unstorable", "EncodingError", "")]),
    (large.delay, [("failures.large", "TooLarge", "")]),
    (stored(MISFIT), [("failures.fine", "DoesNotFit", "")]),
    (waits.delay, [("failures.thread", OWN, at("deepest")), ("failures.waits", OWN, at("waits"))]),
    (lambda: group(plain.s(), fine.s()).delay(), [("failures.plain", OWN, at("deepest"))]),
    (lambda: chain(fine.s(), plain.si(), fine.s()).delay(), [("failures.plain", OWN, at("deepest"))]),
    (of_arqs_client("of_arq"), [("of_arq", OWN, at("deepest"))]),
    (of_arqs_client("arq_late"), [("arq_late", "TimeoutError", at("arq_late"))]),
    (of_arqs_client("arq_again"), [("arq_again", OWN, at("deepest")), ("arq_again", NOT_RUN, "")]),
    (of_arqs_client("nobody"), [("nobody", "UnknownTask", "")]),
    (poisoned, [("failures.killer", "WorkerLost", "")]),
    (stored(b"\x91"), [("failures.fine", "arq.jobs.DeserializationError", "")]),
    (without_payload, [("failures.fine", NOT_RUN, "")]),
]
"""Each way to fail, with what is noted: a row for each attempt."""
NOT_ERRORS = [fine.delay, lambda: fine.apply_async(expires=-1)]


async def test_every_failed_attempt_is_in_one_group(
    redis: Redis, connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker(tasks=TASKS, functions=FUNCTIONS, unknown_task_patience=0)

    for call in [call for call, _ in CAUGHT] + NOT_ERRORS:
        await (await call()).get(timeout=15, propagate=False)

    found = await errors(connection)
    noted = Counter({(one.task, one.type, one.place): one.total for one in found})
    assert len(noted) == len(found)
    assert noted == Counter(row for _, rows in CAUGHT for row in rows)
    assert all(one.count == one.total for one in found)
    for one in found:
        for job_id in one.jobs:
            assert await redis.hget(f"jobs:job:{job_id}", "error") in [other.id.encode() for other in found]
