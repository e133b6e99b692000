"""`python -m jobs worker`: processes that are started again, told to end, and end with the one that started them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs import monitor
from jobs.client.connection import JobsRedis
from jobs.contrib import supervisor
from tests.jobs.commands.conftest import Cli
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT
from tests.waiting import wait_until

SOON = {"LEASE": "1.5", "LEASE_RENEWAL": "0.4", "MAX_JOBS": "5"}
"""The few jobs of a dead worker run again soon."""


class Supervised:
    """`python -m jobs worker tests.jobs.worker.tasks.WorkerSettings`, with these options of the settings."""

    def __init__(self, redis_url: str, log: Path, processes: int, options: dict[str, Any]) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jobs", "worker", "tests.jobs.worker.tasks.WorkerSettings",
                 "--processes", str(processes)],
                cwd=ROOT, env={**os.environ, "REDIS_URL": redis_url, "OPTIONS": json.dumps(options), **SOON},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    async def wait_until_ended(self) -> int:
        await wait_until(lambda: self.process.poll() is not None, f"it to end: {self.text}", timeout_s=20)
        return self.process.returncode


Start = Callable[..., Supervised]
Pids = Callable[[int], Awaitable[list[int]]]


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start one; it is killed when the test ends, and its workers end with it."""
    started: list[Supervised] = []

    def start(processes: int, **options: Any) -> Supervised:
        started.append(Supervised(redis_url, tmp_path / "log", processes, options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.fixture
def pids(connection: JobsRedis) -> Pids:
    """The processes of that number of workers, once so many are online."""

    async def pids(count: int) -> list[int]:
        async def found() -> list[int]:
            return sorted(worker.pid for worker in await monitor.workers(connection))

        return list(await wait_until(lambda: _if_many(found, count), f"{count} workers", timeout_s=20))

    return pids


@pytest.fixture
def port() -> int:
    """One that nothing listens at, nor at the next."""
    while True:
        with socket.socket() as one, socket.socket() as next_one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", 0))
            number = int(one.getsockname()[1])
            next_one.bind(("127.0.0.1", number + 1))
            return number


async def _if_many(found: Callable[[], Awaitable[list[int]]], count: int) -> list[int]:
    now = await found()
    return now if len(now) == count else []


async def takes_jobs(port: int) -> bool:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
            return b" 200" in await reader.readline()
    return False


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


async def test_what_dies_is_started_again_and_no_job_is_lost(
    start: Start, pids: Pids, connection: JobsRedis, port: int
) -> None:
    supervised = start(2, health=f"127.0.0.1:{port}")
    first = await pids(2)
    for number in range(2):
        await wait_until(partial(takes_jobs, port + number), f"process {number} to answer", timeout_s=20)
    jobs = await tasks.nap.apply_many([(0.05,)] * 200)

    for pid in first:
        os.kill(pid, signal.SIGKILL)
    assert await asyncio.gather(*(job.get(timeout=30) for job in jobs)) == ["rested"] * 200

    assert not set(await pids(2)) & set(first)
    for number in range(2):
        await wait_until(partial(takes_jobs, port + number), f"process {number} to answer", timeout_s=20)
        assert f"worker process {number} died (Killed): it is started again in 1 s" in supervised.text
    supervised.process.send_signal(signal.SIGINT)
    assert await supervised.wait_until_ended() == 0


async def test_a_signal_waits_for_jobs_and_a_second_does_not(
    start: Start, pids: Pids, connection: JobsRedis, tmp_path: Path
) -> None:
    supervised = start(2)
    await pids(2)
    short, long = await tasks.nap.delay(1), await tasks.nap.delay(3600)
    await wait_until(lambda: supervised.text.count(":tests.nap(") == 2, "both to run")

    supervised.process.terminate()
    assert await short.get(timeout=10) == "rested"
    await wait_until(lambda: supervised.text.count("shutdown on SIGTERM") == 2, "both to hear of it")
    supervised.process.terminate()

    assert await supervised.wait_until_ended() == 0
    assert await long.state() == "PENDING"
    assert "started again" not in supervised.text


async def test_workers_end_their_jobs_and_themselves_when_the_supervisor_is_killed(
    start: Start, pids: Pids, connection: JobsRedis
) -> None:
    supervised = start(2)
    left = await pids(2)
    job = await tasks.nap.delay(1)
    await wait_until(lambda: ":tests.nap(" in supervised.text, "the job to run")

    supervised.process.kill()

    assert await job.get(timeout=10) == "rested"
    assert (await job.info()).attempts == 1
    await wait_until(lambda: not any(map(lives, left)), "both to end")


async def test_a_recycled_worker_is_started_again_and_one_that_was_told_to_end_is_not(
    start: Start, connection: JobsRedis, cli: Cli
) -> None:
    supervised = start(1, max_jobs_total=1)
    workers = set()
    for number in range(3):
        job = await tasks.log.delay(number)
        assert await job.get(timeout=20) == number
        workers.add((await job.info()).worker)

    assert len(workers) == 3

    async def next_one() -> bool:
        return [worker.name not in workers for worker in await monitor.workers(connection)] == [True]

    await wait_until(next_one, "the fourth worker alone to be online")
    assert (await cli("control", "shutdown")).code == 0
    assert await supervised.wait_until_ended() == 0
    assert supervised.text.count("max_jobs_total=1 jobs are done") == 3
    assert "worker process" not in supervised.text


async def test_settings_that_cannot_be_used_end_it_with_their_error(start: Start) -> None:
    supervised = start(2, no_such_option=1)

    assert await supervised.wait_until_ended() == 1
    assert "worker_settings() has no option 'no_such_option'" in supervised.text
    assert "cannot start, the lines above say why: ending" in supervised.text
    assert "started again" not in supervised.text


async def test_a_signal_takes_no_exit_code_from_who_waits_for_it() -> None:
    """One process that cannot start ends the others, which may be ending for the same reason."""
    for _ in range(5):
        process = await supervisor.start(["-S", "-c", "raise SystemExit(7)"])
        while process.returncode is None:
            supervisor.send(process, signal.SIGCONT)
            await asyncio.sleep(0)
        assert process.returncode == 7
