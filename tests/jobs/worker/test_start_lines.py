"""What a worker says at its start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from arq.cron import cron
from arq.worker import create_worker

from jobs import every, task, worker_settings
from jobs.worker.log_setup import log_start
from tests.jobs.worker.conftest import StartWorker

URL = "redis://me:hush@redis.example:7000/3"


@task(name="start.mail", queue="mail", aliases=["start.post"])
async def mail() -> None: ...


@task(name="start.count")
async def count() -> None: ...


async def of_arq(ctx: object) -> None: ...


def lines_of(caplog: pytest.LogCaptureFixture, url: str = URL, **options: object) -> list[tuple[str, str]]:
    settings: Any = worker_settings(redis_url=url, **options)  # type: ignore[arg-type]
    worker: Any = create_worker(settings)
    caplog.clear()
    with caplog.at_level("INFO"):
        log_start(worker.functions, settings.queues, worker.pool, worker.max_jobs)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


async def test_it_names_what_it_runs_and_from_where(caplog: pytest.LogCaptureFixture) -> None:
    schedules = [every(count, timedelta(hours=1), name="hourly"), cron(of_arq, hour=3)]  # type: ignore[arg-type]

    lines = lines_of(caplog, tasks=[count], functions=[of_arq], cron_jobs=schedules, max_jobs=7)

    runs = "Starting worker for 4 functions: start.count, of_arq, hourly, cron:of_arq"
    assert lines == [("INFO", f"{runs}; queues: default; Redis: redis.example:7000/3; max_jobs: 7")]
    [(_, line)] = lines_of(caplog, "unix:///run/r.sock?db=2", tasks=[mail], queues=["urgent", "mail"])
    assert "functions: start.mail, start.post; queues: urgent, mail; Redis: /run/r.sock/2;" in line


async def test_a_worker_without_work_says_so(caplog: pytest.LogCaptureFixture, start_worker: StartWorker) -> None:
    with caplog.at_level("WARNING"):
        await start_worker(tasks=[])

    [record] = caplog.records
    assert "was given no task, function or schedule" in record.getMessage()


async def test_queues_that_it_does_not_serve_are_named(caplog: pytest.LogCaptureFixture) -> None:
    of_schedule = every(mail, timedelta(hours=1), name="hourly")

    for options in ({"tasks": [mail, count]}, {"tasks": [count], "cron_jobs": [of_schedule]}):
        _, *said = lines_of(caplog, **options)
        assert said == [("WARNING", "this worker does not serve mail of start.mail; it serves default")]
    assert len(lines_of(caplog, tasks=[mail, count], queues=["mail", "default"])) == 1
