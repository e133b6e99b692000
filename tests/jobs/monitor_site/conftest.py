"""The monitor as a host has it that mounts it at /monitor, for somebody in Berlin who may act; and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobs import JobsRedis, Viewer, connect, monitor_app
from jobs.monitor_site.application import Monitor
from tests.app.visitor import Visitor
from tests.browser import browser
from tests.compiled_routes import compiled_once
from tests.jobs.monitor_site.compiled import compiled
from tests.jobs.monitor_site.serving import serving

__all__ = ["browser", "compiled_once"]


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[JobsRedis]:
    """The one that calls of the test use."""
    async with connect(redis_url) as connection:
        yield connection


@pytest.fixture
async def app(redis_url: str) -> AsyncIterator[Monitor]:
    app = monitor_app(
        redis_url,
        viewer=lambda request: Viewer("owner", can_act=True, timezone="Europe/Berlin"),
        title="Monitor",
        prefix="/monitor",
    )
    yield compiled(app)
    await app.close()


@pytest.fixture
def owner(app: Monitor, connection: JobsRedis) -> Visitor:
    """Their browser."""
    return Visitor(app)


@pytest.fixture
async def served(app: Monitor, connection: JobsRedis) -> AsyncIterator[str]:
    """The address of the monitor, which a server answers."""
    async with serving(app, "/monitor") as address:
        yield address
