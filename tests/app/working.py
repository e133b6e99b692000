"""A real worker of the application, inside the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, tzinfo
from types import ModuleType
from typing import Any

import pytest
from arq.worker import create_worker
from quart import Quart

from app import create_app
from app.background import worker_options
from jobs import worker_settings
from jobs.testing import Clock, Workers
from settings import Settings


@asynccontextmanager
async def working(settings: Settings, **options: Any) -> AsyncIterator[Any]:
    """The worker runs, with everything that runs beside it, until the block ends."""
    made: Any = worker_settings(
        redis_url=settings.redis_url, queues=settings.queues, **worker_options(create_app(settings)), **options
    )
    async with running(made) as worker:
        yield worker


@asynccontextmanager
async def site_of(workers: Workers, settings: Settings, **options: Any) -> AsyncIterator[Quart]:
    """Its pages, and its worker in the test: both in the Redis of the test and by its clock."""
    app, of_site = create_app(settings), worker_options(create_app(settings))
    async with workers(queues=settings.queues, **of_site | options), app.test_app():
        yield app


def follow(clock: Clock, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """`datetime.now()` in these modules is what the clock shows."""

    class Follower(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now().astimezone(tz)

    for module in modules:
        monkeypatch.setattr(module, "datetime", Follower)


@asynccontextmanager
async def running(made: Any) -> AsyncIterator[Any]:
    """The worker of these settings runs until the block ends."""
    worker = create_worker(made, handle_signals=False)
    main = asyncio.create_task(worker.main())
    try:
        yield worker
    finally:
        main.cancel()
        with suppress(asyncio.CancelledError):
            await main
        await worker.close()
