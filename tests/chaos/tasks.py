"""The tasks and the worker that are put under faults: each run tells the ledger of its start and its effect."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

from jobs import task, worker_settings
from tests.chaos import ledger


@task(name="chaos.work", bind=True)
async def work(self: Any, key: str, seconds: float) -> str:
    """Takes its time, then acts."""
    ledger.started(key, self.request.attempts)
    await asyncio.sleep(seconds)
    ledger.ended(key, self.request.attempts)
    return f"{key} by attempt {self.request.attempts}"


@task(name="chaos.tidy", bind=True)
async def tidy(self: Any, key: str, seconds: float) -> str:
    """Says when it was stopped, and that it could clean up."""
    ledger.started(key, self.request.attempts)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ledger.note(key, "cancelled")
        raise
    finally:
        ledger.note(key, "tidied")
    ledger.ended(key, self.request.attempts)
    return key


@task(name="chaos.block", bind=True)
async def block(self: Any, key: str, seconds: float) -> str:
    """Does what must not be done: sleeps in the event loop."""
    ledger.started(key, self.request.attempts)
    time.sleep(seconds)  # noqa: ASYNC251 - the fault itself
    ledger.ended(key, self.request.attempts)
    return key


@task(name="chaos.crash", bind=True)
async def crash(self: Any, key: str, how: str) -> None:
    """Takes its worker with it."""
    ledger.started(key, self.request.attempts)
    await asyncio.sleep(0.2)
    match how:
        case "segv":
            ctypes.string_at(0)
        case "os._exit":
            os._exit(1)
        case "sys.exit":
            sys.exit(1)
        case "memory":
            resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
            _hold = [bytearray(2**24) for _ in range(1000)]
        case "recursion":
            _recurse()


def _recurse() -> None:
    _recurse()


@task(name="chaos.give", bind=True)
async def give(self: Any, key: str, what: str) -> object:
    """Returns what cannot be kept."""
    ledger.started(key, self.request.attempts)
    return {"socket": lambda: None, "large": b"x" * 50_000_000}[what]


@task(name="chaos.take")
async def take(payload: bytes) -> int:
    return len(payload)


@task(name="chaos.fail", max_retries=0)
async def fail(key: str) -> None:
    raise ValueError(key)


@task(name="chaos.paced", bind=True, rate_limit="20/s")
async def paced(self: Any, key: str, seconds: float) -> str:
    return await act(self, key, seconds)


@task(name="chaos.narrow", bind=True, max_concurrency=2)
async def narrow(self: Any, key: str, seconds: float) -> str:
    return await act(self, key, seconds)


@task(name="chaos.retried", bind=True, max_retries=2, default_retry_delay=0.5)
async def retried(self: Any, key: str, seconds: float) -> str:
    """Acts at its second retry."""
    if self.request.retries < 2:
        self.retry(exc=ValueError(key))
    return await act(self, key, seconds)


@task(name="chaos.mended", bind=True)
async def mended(self: Any, key: str) -> str:
    """Fails, and acts when an operator runs it again."""
    if not self.request.id.endswith("~2"):
        raise ValueError(key)
    return await act(self, key, 0)


@task(name="chaos.of_schedule", bind=True)
async def of_schedule(self: Any, seconds: float) -> str:
    """Acts for the moment of its schedule."""
    assert self.request.scheduled_for is not None
    return await act(self, self.request.id, seconds)


async def act(job: Any, key: str, seconds: float) -> str:
    ledger.started(key, job.request.attempts)
    await asyncio.sleep(seconds)
    ledger.ended(key, job.request.attempts)
    return key


TASKS = [work, tidy, block, crash, give, take, fail, paced, narrow, retried, mended, of_schedule]

# A worker of the previous release does not know the newest task.
if os.environ.get("CHAOS_RELEASE") != "old":

    @task(name="chaos.newest", bind=True)
    async def newest(self: Any, key: str, seconds: float) -> str:
        """Known to new workers only."""
        return await act(self, key, seconds)

    TASKS.append(newest)


async def say_ready(ctx: dict[Any, Any]) -> None:
    ledger.ready()


def settings(tasks: Sequence[Any], **options: Any) -> Any:
    """Of a worker whose lease is in the environment, as its Redis is."""
    lease_s = float(os.environ.get("CHAOS_LEASE", "15"))
    return worker_settings(
        redis_url=os.environ.get("REDIS_URL", "redis://127.0.0.1"),
        tasks=tasks,
        lease=lease_s,
        lease_renewal=lease_s / 3,
        on_startup=say_ready,
        **options,
    )


MAX_JOBS, WAIT_S = int(os.environ.get("CHAOS_MAX_JOBS", "10")), float(os.environ.get("CHAOS_WAIT", "25"))
WorkerSettings = settings(TASKS, max_jobs=MAX_JOBS, job_completion_wait=WAIT_S)
