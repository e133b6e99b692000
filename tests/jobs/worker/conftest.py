"""A connection, and workers: in this process, or as the `arq` processes that operators start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from arq.worker import create_worker
from redis.asyncio import Redis

from jobs import connect, worker_settings
from jobs.client.connection import JobsRedis
from jobs.worker import Worker
from tests.jobs.key_table import assert_as_documented
from tests.jobs.worker import tasks
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
async def as_documented(redis: Redis) -> AsyncIterator[None]:
    """After each test, once its workers have stopped: every key is one that jobs/store/keys.py names."""
    yield
    await assert_as_documented(redis)


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    """The default connection of the test."""
    async with connect(redis_url) as connection:
        yield connection


StartWorker = Callable[..., Awaitable[Worker]]


@pytest.fixture
async def start_worker(redis_url: str, connection: JobsRedis) -> AsyncIterator[StartWorker]:
    """Start a worker in this process; it is stopped when the test ends."""
    started: list[tuple[Worker, asyncio.Task[None]]] = []

    async def start(**options: Any) -> Worker:
        settings = worker_settings(
            **{"redis_url": redis_url, "tasks": tasks.ALL, "handle_signals": False, "poll_delay": 0.2} | options
        )
        worker = create_worker(settings)
        running = asyncio.create_task(worker.main())
        worker.main_task = running
        started.append((worker, running))
        await wait_until(lambda: running.done() or worker.statistics().name, "the worker to start")
        return worker

    yield start
    for worker, running in started:
        if not running.done():
            await stop_at_once(worker)
        await asyncio.gather(running, return_exceptions=True)


async def stop_at_once(worker: Worker) -> None:
    """As a second signal does: what runs is released."""
    for _ in range(2):
        worker.handle_sig(signal.SIGUSR1)
    await worker.close()


class WorkerProcess:
    """`arq tests.jobs.worker.tasks.WorkerSettings`, or other *settings*, as an operator starts it."""

    def __init__(
        self,
        redis_url: str,
        log: Path,
        *flags: str,
        settings: str = "tests.jobs.worker.tasks.WorkerSettings",
        **environ: str,
    ) -> None:
        self.log = log
        environment = {**os.environ, "REDIS_URL": redis_url, **environ}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [Path(sys.executable).parent / "arq", settings, *flags],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    async def wait_until_ready(self) -> None:
        await wait_until(lambda: "redis_version" in self.text, f"a worker to start: {self.text}", timeout_s=20)

    async def wait_until_ended(self, within_s: float = 10) -> int:
        await wait_until(lambda: self.process.poll() is not None, "the worker process to end", timeout_s=within_s)
        return self.process.returncode


StartProcess = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
async def start_process(redis_url: str, tmp_path: Path) -> AsyncIterator[StartProcess]:
    """Start a worker process; it is killed when the test ends."""
    started: list[WorkerProcess] = []

    async def start(*flags: str, **environ: str) -> WorkerProcess:
        log = tmp_path / f"worker-{len(started)}.log"
        worker = WorkerProcess(environ.pop("url", redis_url), log, *flags, **environ)
        started.append(worker)
        await worker.wait_until_ready()
        return worker

    yield start
    for worker in started:
        worker.process.kill()
        worker.process.wait()
