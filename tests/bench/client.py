"""The caller's process: `python -m tests.bench.client <module> <action> ...` prints figures as JSON."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

Figures = dict[str, float]


async def fill(subject: ModuleType, n: str, task: str = "noop", delay_s: str = "0") -> Figures:
    """Put n jobs into the queue, in the fastest way the subject has."""
    began, cpu = time.perf_counter(), time.process_time()
    await subject.enqueue_many(int(n), task, float(delay_s))
    cpu = time.process_time() - cpu
    return {"per_second": int(n) / (time.perf_counter() - began), "cpu_us": cpu / int(n) * 1e6}


async def calls(subject: ModuleType, n: str) -> Figures:
    """One caller, one call after the other, and nothing else: what they cost this process and Redis."""
    cpu = time.process_time()
    for _ in range(int(n)):
        await subject.enqueue()
    return {"cpu_us": (time.process_time() - cpu) / int(n) * 1e6}


async def in_turn(subject: ModuleType, n: str) -> Figures:
    """One caller, one call after the other, between two measures of PING on a plain connection."""
    from redis.asyncio import Redis  # every subject's environment has redis-py, but only this action needs it

    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        before = await _rate(redis.ping, int(n))
        rate = await _rate(subject.enqueue, int(n))
        ping = statistics.mean((before, await _rate(redis.ping, int(n))))
    return {"per_second": rate, "ping": ping}


async def at_once(subject: ModuleType, n: str, callers: str) -> Figures:
    """Several callers in one process, each one call after the other: threads where calls block."""
    each = int(n) // int(callers)

    async def caller() -> None:
        for _ in range(each):
            await subject.enqueue()

    def thread() -> None:
        for _ in range(each):
            subject.call()

    await subject.enqueue()
    began = time.perf_counter()
    if hasattr(subject, "call"):
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(int(callers)))
        await asyncio.gather(*(asyncio.to_thread(thread) for _ in range(int(callers))))
    else:
        await asyncio.gather(*(caller() for _ in range(int(callers))))
    return {"per_second": int(n) / (time.perf_counter() - began)}


async def latency(subject: ModuleType, n: str) -> Figures:
    """From the call to its result, on a worker that has had time to fall asleep."""
    for _ in range(5):
        await subject.round_trip()
    taken = []
    for i in range(int(n)):
        await asyncio.sleep(0.005 + 0.01 * (i % 3))
        began = time.perf_counter()
        await subject.round_trip()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {"p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)]}


async def workflow(subject: ModuleType, kind: str, n: str) -> Figures:
    """From the call to its result."""
    await (await subject.made("chain", 2).delay()).get(timeout=10)
    node = subject.made(kind, int(n))
    began = time.perf_counter()
    await (await node.delay()).get(timeout=300)
    return {"seconds": time.perf_counter() - began}


async def begin_workflow(subject: ModuleType, kind: str, n: str) -> Figures:
    """Call it and go."""
    await subject.made(kind, int(n)).delay()
    return {}


async def on_demand(subject: ModuleType) -> Figures:
    """One call for each line that comes in."""
    while await asyncio.to_thread(sys.stdin.readline):
        await subject.enqueue()
    return {}


async def counts(subject: ModuleType) -> Figures:
    """What calls and jobs take, in this process: see counts.py."""
    from tests.bench.counts import counted  # needs what is not in every subject's environment

    return await counted(subject)


async def _rate(call: object, n: int) -> float:
    await call()  # type: ignore[operator]
    began = time.perf_counter()
    for _ in range(n):
        await call()  # type: ignore[operator]
    return n / (time.perf_counter() - began)


async def main(module: str, action: str, *arguments: str) -> None:
    subject = importlib.import_module(module)
    async with subject.opened():
        figures = await globals()[action](subject, *arguments)
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
