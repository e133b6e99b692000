"""Hypercorn, with a stop that waits for no stream."""

from __future__ import annotations

import asyncio
import logging
import signal

from hypercorn.asyncio import serve
from quart import Quart

from app.web import connections
from settings import Settings

GRACE_S = 10


async def run(app: Quart, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM: streams end at once (by `app.shutdown_event`), requests finish."""
    connections.prepare()
    config = connections.Connections()
    config.bind = [
        f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    ]
    config.graceful_timeout = GRACE_S
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")
    asked = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, asked.set)

    async def shutdown_trigger() -> None:
        await asked.wait()
        app.shutdown_event.set()  # Quart itself sets it only after the grace

    await serve(app, config, shutdown_trigger=shutdown_trigger)
