"""What a worker process writes: a start line before any code."""

from __future__ import annotations

from pathlib import Path

from jobs import Result
from jobs.client.connection import JobsRedis
from tests.jobs.worker import log_app
from tests.jobs.worker.conftest import WorkerProcess


async def test_all_jobs_of_a_turn_have_their_start_line_when_the_first_kills_the_worker(
    connection: JobsRedis, redis_url: str, tmp_path: Path
) -> None:
    first = await log_app.count.delay()
    log = tmp_path / "worker.log"
    worker = WorkerProcess(redis_url, log, settings="tests.jobs.worker.log_app.WorkerSettings")
    try:
        await first.get(timeout=20)  # a worker that has ended a job claims as many as it may run
        results: list[Result] = await log_app.kill.apply_many([()] * 32)
        assert await worker.wait_until_ended() == -9
    finally:
        worker.process.kill()
        worker.process.wait()

    lines = log.read_text()
    assert [result.id for result in results if f"→ {result.id}:log_app.kill()" not in lines] == []
