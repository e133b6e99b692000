"""Run Hypercorn. It stops without waiting for streams."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncGenerator, Callable

from hypercorn.asyncio import serve
from quart import Quart

from . import connections

GRACE_S = 10
YOUNG = 10_000
"""New objects after which Python looks for cycles. Its own 700 are two pages."""


async def run(app: Quart, host: str, port: int, end_streams: Callable[[], None]) -> None:
    """Serve at this address of the machine until SIGINT or SIGTERM.

    Then *end_streams* is called, and requests finish.
    """
    connections.prepare()
    config = connections.Connections()
    config.bind = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    config.graceful_timeout = GRACE_S
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")
    stopping = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)

    async def shutdown_trigger() -> None:
        await stopping.wait()
        end_streams()

    @app.while_serving
    async def settle() -> AsyncGenerator[None, None]:
        """Keep what the start has made out of every collection: one over all of it stops every page for 70 ms."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG)
        yield

    await serve(app, config, shutdown_trigger=shutdown_trigger)
