"""Tasks in a process of their own: it may crash, hang or be killed, and the worker stays."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jobs import CurrentJob, task
from jobs.client.connection import JobsRedis
from jobs.errors import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLost
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


class OwnError(Exception):
    pass


@task(name="processes.where", process=True)
def where() -> int:
    return os.getpid()


@task(name="processes.hang", process=True, time_limit=1)
def hang(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        time.sleep(60)


@task(name="processes.soft", process=True, soft_time_limit=0.3)
def soft() -> str:
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        return "cleaned up"
    return "slept"


@task(name="processes.crash", process=True)
def crash(path: str, how: str) -> None:
    with open(path, "a") as file:
        file.write("x")
    if how == "exit":
        os._exit(3)
    ctypes.string_at(0)


@task(name="processes.crash_once", process=True)
def crash_once(path: str) -> str:
    if Path(path).exists():
        return "the second time"
    Path(path).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@task(name="processes.never_twice", process=True, acks_late=False)
def never_twice(path: str) -> None:
    with open(path, "a") as file:
        file.write("x")
    os._exit(3)


@task(name="processes.fail", process=True, raises=(OwnError,))
def fail() -> None:
    raise OwnError("from the process")


@task(name="processes.bound", process=True, bind=True, default_retry_delay=0)
def bound(self: CurrentJob, value: Any) -> Any:
    if self.request.retries == 0:
        self.retry()
    return self.request.id, self.request.retries, value


@task(name="processes.patient", process=True)
def patient(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


TASKS = [where, hang, soft, crash, crash_once, never_twice, fail, bound]


async def test_it_runs_in_another_process_that_is_used_again(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    pids = {await (await where.delay()).get(timeout=20) for _ in range(8)}

    assert os.getpid() not in pids
    assert len(pids) <= (os.cpu_count() or 1)


async def test_what_it_raises_and_returns_comes_back(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    with pytest.raises(OwnError, match="from the process"):
        await (await fail.delay()).get(timeout=20)
    result = await bound.delay({"a": (1, 2)})
    assert await result.get(timeout=20) == (result.id, 1, {"a": (1, 2)})


async def test_at_its_time_limit_the_process_is_killed(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker(tasks=TASKS)
    path = tmp_path / "pid"

    with pytest.raises(TimeLimitExceeded, match="its process was killed"):
        await (await hang.delay(str(path))).get(timeout=20)

    pid = int(path.read_text())
    await wait_until(lambda: not _lives(pid), "the process to be gone")


async def test_it_may_clean_up_at_its_soft_time_limit(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS)

    assert await (await soft.delay()).get(timeout=20) == "cleaned up"


@pytest.mark.parametrize("how", ["exit", "segfault"])
async def test_a_crash_fails_only_its_own_job(start_worker: StartWorker, tmp_path: Path, how: str) -> None:
    """It is run again, as a job whose worker died is, but not for ever."""
    await start_worker(tasks=TASKS)
    path = tmp_path / "runs"
    result = await crash.delay(str(path), how)

    with pytest.raises(WorkerLost, match="its process died, exit code"):
        await result.get(timeout=40)

    assert path.read_text() == "xxx"
    assert await (await where.delay()).get(timeout=20) != os.getpid()


async def test_a_job_that_was_lost_once_runs_again(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker(tasks=TASKS)

    assert await (await crash_once.delay(str(tmp_path / "been"))).get(timeout=20) == "the second time"


async def test_with_acks_late_off_a_crash_is_the_end(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker(tasks=TASKS)
    path = tmp_path / "runs"

    with pytest.raises(WorkerLost):
        await (await never_twice.delay(str(path))).get(timeout=20)

    assert path.read_text() == "x"


async def test_a_revoked_job_is_killed(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker(tasks=[hang.with_options(time_limit=60)])
    path = tmp_path / "pid"
    result = await hang.delay(str(path))
    await wait_until(lambda: path.exists() and path.read_text(), "the process to run", timeout_s=20)

    await result.revoke(terminate=True)

    await wait_until(lambda: not _lives(int(path.read_text())), "the process to be gone")


@pytest.mark.parametrize("job", [patient, patient.with_options(acks_late=False)], ids=["late", "early"])
async def test_a_process_that_is_stopped_with_its_worker_uses_no_retry(
    start_worker: StartWorker, connection: JobsRedis, tmp_path: Path, job: Any
) -> None:
    """A supervisor that stops a service signals every process of it at once."""
    worker = await start_worker(tasks=[job])
    path = tmp_path / "pid"
    result = await job.delay(str(path))
    await wait_until(lambda: path.exists() and path.read_text(), "the process to run", timeout_s=20)

    worker.handle_sig(signal.SIGUSR1)
    os.kill(int(path.read_text()), signal.SIGTERM)

    record = f"jobs:job:{result.id}"
    await wait_until(lambda: _is_started_no_more(connection, record), "the job to be put back")
    assert await connection.hmget(record, "state", "retries", "attempts") == [b"PENDING", None, b"0"]


async def _is_started_no_more(connection: JobsRedis, record: str) -> bool:
    return await connection.hget(record, "state") != b"STARTED"


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except OSError:
        return False
