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
        redis_url=settings.redis_url,
        queues=settings.queues,
        **worker_options(create_app(settings)),
        **options,
    )
    worker = create_worker(made, handle_signals=False)
    running = asyncio.create_task(worker.main())
    try:
        yield worker
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await worker.close()
