"""The web process, `python -m app.serve`: hypercorn, with a stop that waits for no stream."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from hypercorn.asyncio import serve
from quart import Quart

from app import create_app, logs
from app.private import own_settings
from app.web import connections
from settings import Settings, SettingsError

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


if __name__ == "__main__":
    try:
        settings = own_settings()
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(run(create_app(settings), settings))
    except SettingsError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{settings.host}:{settings.port} cannot be used ({error.strerror}): set HOST and PORT")
