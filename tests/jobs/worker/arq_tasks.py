"""Functions as arq's users write them, and tasks that do the same; what both note when they run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.worker import Retry, RetryJob

from jobs import CurrentJob, task
from jobs.encoding import dumps, loads_job
from tests.jobs.worker import tasks

T = 10
"""Seconds that nothing here should take."""
runs: list[Any] = []


@task(name="arq_options.nap")
async def nap(seconds: float) -> None:
    runs.append("task")
    await asyncio.sleep(seconds)


@task(name="arq_options.own_limit", time_limit=T, max_retries=1, result_expires=1000)
async def own_limit(seconds: float) -> None:
    await asyncio.sleep(seconds)


@task(name="arq_options.nap_in_process", process=True)
def nap_in_process(seconds: float) -> None:
    time.sleep(seconds)


@task(name="arq_options.defers", bind=True)
async def defers(self: CurrentJob, how: str) -> None:
    runs.append(datetime.now(UTC))
    raise_retry(self, how)


@task(name="arq_options.own_defers", bind=True, max_retries=1)
async def own_defers(self: CurrentJob, how: str) -> None:
    runs.append(datetime.now(UTC))
    raise_retry(self, how)


@task(name="arq_options.thread_defers", bind=True, max_retries=1)
def thread_defers(self: CurrentJob, how: str) -> None:
    raise_retry(self, how)


@task(name="arq_options.process_defers", bind=True, process=True, max_retries=1)
def process_defers(self: CurrentJob, how: str) -> int:
    if self.request.retries:
        return self.request.retries
    raise_retry(self, how)
    return 0


def raise_retry(self: CurrentJob | None, how: str) -> None:
    if how == "self.retry" and self is not None:
        self.retry(countdown=0)
    if how == "RetryJob":
        raise RetryJob
    raise {"Retry()": Retry(), "Retry(0.3)": Retry(0.3), "Retry(defer=timedelta)": Retry(defer=timedelta(seconds=0.3))}[
        how
    ]


async def f(ctx: dict[Any, Any], value: Any = "f") -> Any:
    runs.append("f")
    return value


async def f_naps(ctx: dict[Any, Any], seconds: float) -> None:
    await asyncio.sleep(seconds)


async def f_defers(ctx: dict[Any, Any], how: str) -> None:
    runs.append("f")
    raise_retry(None, how)


async def f_fans_out(ctx: dict[Any, Any]) -> Any:
    job = await ctx["redis"].enqueue_job("f", "fanned out")
    return await job.result(timeout=T, poll_delay=0.05)


TASKS = [*tasks.ALL, nap, own_limit, nap_in_process, defers, own_defers, thread_defers, process_defers]
FUNCTIONS = [f, f_naps, f_defers, f_fans_out]


def enough(**options: Any) -> dict[str, Any]:
    """The options of a worker that has them all."""
    return {"tasks": TASKS, "functions": FUNCTIONS, **options}


@asynccontextmanager
async def stock_pool(url: str, queue_name: str = "arq:queue") -> AsyncIterator[Any]:
    """A client as arq makes one, with the two functions that docs/from-arq.md names."""
    settings = RedisSettings(unix_socket_path=url.removeprefix("unix://"))
    pool = await create_pool(settings, job_serializer=dumps, job_deserializer=loads_job, default_queue_name=queue_name)
    try:
        yield pool
    finally:
        await pool.aclose()


async def is_started(*results: Any) -> bool:
    return all([await result.state() == "STARTED" for result in results])
