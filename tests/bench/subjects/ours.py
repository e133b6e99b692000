"""This project."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobs import chain, chord, connect, task, worker_settings
from jobs.workflows.canvas import Workflow
from tests.bench import tally

URL = os.environ["REDIS_URL"]


@task(name="noop")
async def noop() -> None:
    tally.count()


@task(name="nap")
async def nap(seconds: float = 0.02) -> None:
    await asyncio.sleep(seconds)
    tally.count()


@task(name="long_nap")
async def long_nap() -> None:
    tally.count()
    await asyncio.sleep(300)


@task(name="multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="count_all")
async def count_all(results: list[int]) -> int:
    return len(results)


def made(kind: str, n: int) -> Workflow:
    """A chord of n tasks, a chain of n steps, a chain of n chords of 10, a chord of n that wait."""
    if kind == "chord":
        return chord([multiply.s(i, 2) for i in range(n)], count_all.s())
    if kind == "chain":
        return chain(multiply.s(1, 1), *(multiply.s(1) for _ in range(n - 1)))
    if kind == "chords":
        return chain(chord([multiply.si(i, 2) for i in range(10)], count_all.s()) for _ in range(n))
    return chord([long_nap.s() for _ in range(n)], count_all.s())


WorkerSettings = worker_settings(
    redis_url=URL,
    tasks=[noop, nap, long_nap, multiply, count_all],
    on_startup=tally.gate,
    max_jobs=int(os.environ.get("BENCH_MAX_JOBS", "100")),
    keep_result=float(os.environ.get("BENCH_KEEP_RESULT", "86400")),
)


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    async with connect(URL):
        yield


async def enqueue() -> None:
    await noop.delay()


async def enqueue_many(n: int, task: str = "noop", delay_s: float = 0) -> None:
    called = {"noop": noop, "nap": nap, "long_nap": long_nap}[task]
    for begin in range(0, n, 5_000):
        calls = [()] * min(5_000, n - begin)
        await called.apply_many(calls, countdown=delay_s) if delay_s else await called.apply_many(calls)


async def round_trip() -> None:
    await (await noop.delay()).get(timeout=10)
