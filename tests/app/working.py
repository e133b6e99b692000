"""A real worker of the application, inside the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from arq.worker import create_worker

from app import create_app
from app.background import worker_options
from jobs import worker_settings
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
