"""A connection and real workers, and what tests of the monitor wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jobs.client.connection import JobsRedis
from tests.jobs.commands.conftest import StartOnline, start_online
from tests.jobs.worker.conftest import as_documented, connection, start_process, start_worker
from tests.waiting import wait_until

__all__ = ["StartOnline", "as_documented", "connection", "start_online", "start_process", "start_worker"]

Reach = Callable[[Any, str], Awaitable[None]]


@pytest.fixture
def reach(connection: JobsRedis) -> Reach:
    """Wait until a job is in a state."""

    async def reach(result: Any, state: str) -> None:
        async def reached() -> bool:
            return bool(await result.state() == state)

        await wait_until(reached, f"{result} to be {state}")

    return reach
