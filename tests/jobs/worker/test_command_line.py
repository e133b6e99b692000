"""arq's command line with our worker: --check, --burst, --watch."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from jobs import group
from jobs.client.connection import JobsRedis
from jobs.contrib.watch import without_watch
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT, StartProcess, StartWorker
from tests.waiting import wait_until

ARQ = str(Path(sys.executable).parent / "arq")


async def arq(*words: str, redis_url: str, cwd: Path = ROOT) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        ARQ,
        *words,
        cwd=cwd,
        env={**os.environ, "REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_check_is_right_whether_two_workers_run_or_one_or_none(
    redis_url: str, start_process: StartProcess
) -> None:
    async def check() -> int:
        process = await arq("tests.jobs.worker.tasks.WorkerSettings", "--check", redis_url=redis_url)
        return await process.wait()

    assert await check() == 1
    first, second = await start_process(), await start_process()
    assert await check() == 0

    first.process.send_signal(signal.SIGTERM)
    assert await first.wait_until_ended() == 0
    assert await check() == 0

    second.process.send_signal(signal.SIGTERM)
    assert await second.wait_until_ended() == 0
    assert await check() == 1


async def test_only_a_process_of_its_own_collects_garbage_less_often_but_what_is_large_soon(
    connection: JobsRedis, start_process: StartProcess, start_worker: StartWorker
) -> None:
    own = await start_process()
    threshold, left_out = await (await tasks.collects.delay()).get(timeout=10)
    assert threshold == 20_000
    assert left_out > 10_000

    rss = Path(f"/proc/{own.process.pid}/statm")
    await (await group([tasks.collects.s(10)] * 40).delay()).get(timeout=10)
    await wait_until(lambda: int(rss.read_text().split()[1]) * resource.getpagesize() < 200 << 20, "it to be collected")

    own.process.kill()
    await own.wait_until_ended()
    before = gc.get_freeze_count()
    await start_worker()
    threshold, left_out = await (await tasks.collects.delay()).get(timeout=10)
    assert threshold == gc.get_threshold()[0]
    assert left_out == pytest.approx(before, abs=1_000)  # some of them have gone
    assert gc.get_threshold()[0] < 20_000


async def test_the_check_fails_soon_after_a_worker_was_killed(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    worker = await start_process()
    await wait_until(lambda: connection.exists("arq:queue:health-check"), "the health record")
    worker.process.kill()

    assert 0 < await connection.pttl("arq:queue:health-check") <= 11_000


async def test_a_job_writes_two_lines_and_the_health_record_none(
    connection: JobsRedis, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await start_worker(health_check_interval=1)
    await (await tasks.multiply.delay(2, 3)).get(timeout=10)

    async def counted() -> bool:
        return b"j_complete=1" in (await connection.get("arq:queue:health-check") or b"")

    await wait_until(counted, "the next health record")
    assert [caplog.text.count(said) for said in ("→", "←", "recording health")] == [1, 1, 0]


async def test_burst_runs_what_there_is_and_ends(redis_url: str, connection: JobsRedis) -> None:
    results = [await tasks.multiply.delay(n, n) for n in range(3)]
    retried = await tasks.flaky.delay(1)

    process = await arq("tests.jobs.worker.tasks.WorkerSettings", "--burst", redis_url=redis_url)

    assert await process.wait() == 0
    assert [await result.get(timeout=0.1) for result in results] == [0, 1, 4]
    assert await retried.get(timeout=0.1) == 1


WATCHED = """
import os
from jobs import task, worker_settings

@task(name="watched.say")
async def say():
    return {said!r}

WorkerSettings = worker_settings(redis_url=os.environ["REDIS_URL"], tasks=[say], job_completion_wait=1)
"""


async def test_watch_runs_the_code_as_it_was_saved_last(redis_url: str, connection: JobsRedis, tmp_path: Path) -> None:
    async def said() -> object:
        job = await connection.enqueue_job("watched.say")
        assert job is not None
        return await job.result(timeout=15, poll_delay=0.05)

    code = tmp_path / "watched.py"
    code.write_text(WATCHED.format(said="one"))
    watcher = await arq("watched.WorkerSettings", "--watch", str(tmp_path), redis_url=redis_url, cwd=tmp_path)
    try:
        assert await said() == "one"
        code.write_text("this is no Python")
        await wait_until(lambda: _no_worker(connection), "the worker to end")
        code.write_text(WATCHED.format(said="two"))
        assert await said() == "two"
    finally:
        watcher.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(watcher.wait(), 15) == 0
    assert await _no_worker(connection)


async def _no_worker(connection: JobsRedis) -> bool:
    return await connection.zcard("jobs:workers") == 0


def test_the_watched_worker_is_started_by_the_same_command_without_watch() -> None:
    assert without_watch(["arq", "a.B", "--watch", "src", "--burst"]) == ["arq", "a.B", "--burst"]
    assert without_watch(["-m", "arq", "--watch=src", "a.B", "-v"]) == ["-m", "arq", "a.B", "-v"]
