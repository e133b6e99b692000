"""Tasks for the worker's tests, and the settings of the processes that run them."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from jobs import CurrentJob, Unique, current_job, every, task, worker_settings


@task(name="tests.multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="tests.log")
async def log(message: Any) -> Any:
    return message


@task(name="tests.nap")
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@task(name="tests.in_thread")
def in_thread(seconds: float = 0) -> str:
    time.sleep(seconds)
    return threading.current_thread().name


@task(name="tests.block")
async def block(seconds: float) -> str:
    time.sleep(seconds)  # noqa: ASYNC251  # on purpose: a task that blocks the loop
    return "blocked"


@task(name="tests.block_until")
async def block_until(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.02)  # noqa: ASYNC251  # on purpose, as above


@task(name="tests.wait_until_there")
async def wait_until_there(path: str) -> None:
    while not Path(path).exists():  # noqa: ASYNC110  # the test that makes it is another process
        await asyncio.sleep(0.02)


@task(name="tests.loaded")
async def loaded() -> list[str]:
    """The modules that this worker has imported, and its threads."""
    return [*sys.modules, *(thread.name for thread in threading.enumerate())]


@task(name="tests.collects")
async def collects(garbage_mb: int = 0) -> tuple[int, int]:
    """After how many new objects this process looks for garbage, and how many of those before it leaves out."""
    cycle: list[Any] = [bytearray(garbage_mb << 20)]
    cycle.append(cycle)
    return gc.get_threshold()[0], gc.get_freeze_count()


@task(name="tests.fail")
async def fail(text: str = "no luck") -> None:
    raise ValueError(text)


@task(name="tests.flaky", bind=True, max_retries=2, default_retry_delay=0.05)
async def flaky(self: Any, fail_times: int) -> int:
    if self.request.retries < fail_times:
        try:
            raise KeyError("not yet")
        except KeyError as error:
            self.retry(exc=error)
    return self.request.retries


@task(name="tests.auto", autoretry_for=(OSError,), default_retry_delay=0.01, max_retries=3)
async def auto(path: str) -> str:
    return Path(path).read_text()


@task(name="tests.patient", autoretry_for=(OSError,), default_retry_delay=3600, max_retries=3)
async def patient() -> None:
    raise OSError("not today")


@task(name="tests.limited", time_limit=0.2)
async def limited(seconds: float) -> None:
    await asyncio.sleep(seconds)


released = threading.Event()


@task(name="tests.held_thread", time_limit=0.2)
def held_thread() -> None:
    released.wait(60)


@task(name="tests.unstorable")
async def unstorable() -> Any:
    return object()


@task(name="tests.large")
async def large(size: int) -> str:
    return "x" * size


@task(name="tests.parent")
async def parent(depth: int) -> int:
    if depth == 0:
        return 1
    results = [await parent.delay(depth - 1) for _ in range(2)]
    return sum(await asyncio.gather(*(result.get() for result in results)))


@task(name="tests.progress", bind=True)
async def progress(self: Any, steps: int) -> str:
    for step in range(steps):
        await self.update_state(meta={"done": step + 1})
    return "all"


@task(name="tests.append", bind=True)
async def append(self: Any, path: str, line: str, seconds: float = 0) -> int:
    """Write when it starts and when it ends: the tests' external record."""
    with open(path, "a") as file:
        file.write(f"start {line}\n")
    await asyncio.sleep(seconds)
    with open(path, "a") as file:
        file.write(f"end {line}\n")
    return int(self.request.attempts)


@task(name="tests.tick", bind=True)
async def tick(self: Any, path: str, seconds: float = 0) -> None:
    """Write the job's id when it starts and when it ends."""
    for word in ("start", "end"):
        with open(path, "a") as file:
            file.write(f"{word} {self.request.id}\n")
        await asyncio.sleep(seconds)


@task(name="tests.once", acks_late=False)
async def once(path: str) -> None:
    with open(path, "a") as file:
        file.write("start\n")
    os._exit(1)


@task(name="tests.crash")
async def crash(path: str) -> None:
    with open(path, "a") as file:
        file.write("crash\n")
    os._exit(1)


@task(name="tests.who")
async def who() -> str:
    return str(current_job().request.id)


@task(name="tests.read")
async def read(path: str) -> str:
    return Path(path).read_text()


@task(name="tests.note_error")
async def note_error(request: Any, error: Exception, text: str, path: str) -> None:
    with open(path, "a") as file:
        file.write(f"{request.task} {error!r}\n")


_hoard: list[bytes] = []


@task(name="tests.hoard")
async def hoard(mb: int) -> None:
    _hoard.append(b"x" * (mb * 2**20))


@task(name="tests.unique", bind=True, unique=Unique("key"))
async def unique(self: CurrentJob, path: str, key: int) -> None:
    for what in ("begins", "ends"):
        with open(path, "a") as file:
            file.write(f"{key} {self.request.id} {what} {os.getpid()}\n")
        await asyncio.sleep(0.1)


ALL = [
    unique, multiply, log, nap, in_thread, block, fail, flaky, auto, patient, limited, unstorable, large, parent,
    progress, append, once, crash, who, read, note_error, hoard, held_thread,
    tick, block_until, wait_until_there, loaded, collects,
]  # fmt: skip

if "REDIS_URL" in os.environ:
    WorkerSettings = worker_settings(
        redis_url=os.environ["REDIS_URL"],
        tasks=ALL,
        cron_jobs=[
            every(tick, timedelta(seconds=seconds), name="tick", args=arguments)
            for seconds, arguments in [json.loads(os.environ.get("TICK", "[0, []]"))]
            if seconds
        ],
        job_completion_wait=float(os.environ.get("COMPLETION_WAIT", "5")),
        lease=float(os.environ.get("LEASE", "15")),
        lease_renewal=float(os.environ.get("LEASE_RENEWAL", "5")),
        loop_stuck=float(os.environ.get("LOOP_STUCK", "60")),
        max_jobs=int(os.environ.get("MAX_JOBS", "100")),
        **json.loads(os.environ.get("OPTIONS", "{}")),
    )
