"""One error has one spelling: in a list, on the job's page, in the command, as a reason to retry and as the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.monitor import find
from jobs.monitor_site import job
from tests.jobs.commands.conftest import run_command
from tests.jobs.monitor.conftest import Reach
from tests.jobs.worker.conftest import StartWorker


class Declined(Exception):
    """No task declares it: it comes back as a RemoteError."""


OWN = f"{__name__}.Declined"


@task(name="spelling.raises")
async def raises(text: str) -> None:
    raise Declined(text) if text else Declined


@task(name="spelling.retries", autoretry_for=(Exception,), default_retry_delay=3600)
async def retries() -> None:
    raise Declined("later")


@task(name="spelling.asks", bind=True)
async def asks(self: Any) -> None:
    raise self.retry(exc=Declined("asked"), countdown=3600)


@task(name="spelling.polls", bind=True)
async def polls(self: Any) -> None:
    raise self.retry(countdown=3600)


@task(name="spelling.python")
async def python() -> None:
    raise ConnectionError("refused")


@task(name="spelling.late", time_limit=0.01)
async def late() -> None:
    await asyncio.sleep(60)


@task(name="spelling.waits")
async def waits() -> None:
    await (await raises.delay("child")).get(timeout=10)


TASKS = [raises, retries, asks, polls, python, late, waits]


@pytest.mark.parametrize(
    ("called", "args", "state", "line"),
    [
        (raises, ("no luck",), "FAILURE", f"{OWN}: no luck"),
        (raises, ("",), "FAILURE", OWN),
        (retries, (), "RETRY", f"{OWN}: later"),
        (asks, (), "RETRY", f"{OWN}: asked"),
        (python, (), "FAILURE", "ConnectionError: refused"),
        (late, (), "FAILURE", "TimeLimitExceeded: spelling.late[ID] ran longer than 0.01 s"),
        (waits, (), "FAILURE", f"{OWN}: child"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_an_error_is_spelled_in_one_way(
    connection: JobsRedis, redis_url: str, start_worker: StartWorker, reach: Reach,
    called: Any, args: tuple[str, ...], state: str, line: str,
) -> None:  # fmt: skip
    await start_worker(tasks=TASKS)
    result = await called.delay(*args)
    await reach(result, state)
    line = line.replace("ID", result.id)

    [row] = (await find(connection, text=result.id)).rows
    found = await job(connection, result.id)
    answer = await asyncio.to_thread(run_command, ["--redis-url", redis_url, "result", result.id])

    assert row.error == line
    assert found
    assert found.error == line
    assert found.info
    assert "Traceback (most recent call last)" in found.info.history[-1].text
    if state == "FAILURE":
        assert answer.out == f"{result.id}: FAILURE: {line}\n"


async def test_a_retry_without_an_error_says_so(connection: JobsRedis, start_worker: StartWorker, reach: Reach) -> None:
    await start_worker(tasks=TASKS)
    result = await polls.delay()
    await reach(result, "RETRY")

    [row] = (await find(connection, text=result.id)).rows

    assert row.error == "the task asked for it, and gave no error"
