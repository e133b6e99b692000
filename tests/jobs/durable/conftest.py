"""Durable tasks in eager mode, and on a worker in virtual time: both replay a job from its top after each step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from jobs.testing import Clock, Workers, eager
from tests.jobs.durable import durable_tasks as tasks

Outcome = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    tasks.done.clear()


@pytest.fixture(params=["eager", "worker"])
async def outcome(request: pytest.FixtureRequest, jobs_worker: Workers, jobs_clock: Clock) -> AsyncIterator[Outcome]:
    """Call a task, let *days* pass, and give what came to it: its result, or the exception."""

    async def in_eager_mode(task: Any, *args: Any, days: float = 0) -> Any:
        return await (await task.delay(*args)).get(propagate=False)

    async def on_a_worker(task: Any, *args: Any, days: float = 0) -> Any:
        result = await task.delay(*args)
        await jobs_clock.advance(days=days)
        return await result.get(timeout=5, propagate=False)

    if request.param == "eager":
        with eager():
            yield in_eager_mode
    else:
        async with jobs_worker(tasks=tasks.ALL):
            yield on_a_worker
