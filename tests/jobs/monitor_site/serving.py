"""A monitor that a server answers, for browsers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypercorn.asyncio import serve
from hypercorn.config import Config

from jobs.monitor_site.application import Monitor


@asynccontextmanager
async def serving(app: Monitor, prefix: str = "") -> AsyncIterator[str]:
    """Its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # the server closes it
    config.errorlog = None
    config.graceful_timeout = 1
    ended, started = asyncio.Event(), asyncio.Event()
    app.before_serving(started.set)
    server = asyncio.create_task(serve(app, config, shutdown_trigger=ended.wait))
    await started.wait()
    yield f"http://127.0.0.1:{port}{prefix}"
    ended.set()
    await server
