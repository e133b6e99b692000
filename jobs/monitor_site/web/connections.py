"""The connections of the web server: many at once, HTTP/1.1 only, and none for ever."""

from __future__ import annotations

import contextlib
import logging
import resource
import socket
from typing import Any

import hypercorn.asyncio.run
import hypercorn.protocol
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config, Sockets
from hypercorn.events import Closed, Event, Updated
from hypercorn.protocol.h11 import H11Protocol

BACKLOG = 2_048
"""Accept backlog. A client beyond it waits until its SYN is sent again, after a second or more."""
UNREAD_S = 30
"""Seconds after which a client that reads nothing of its response is disconnected."""

logger = logging.getLogger("jobs.monitor_site")


class Connections(Config):
    """Hypercorn's settings, and socket options for which it has no setting."""

    backlog = BACKLOG

    def create_sockets(self) -> Sockets:
        sockets = super().create_sockets()
        for listening in sockets.insecure_sockets:
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; each accepted connection inherits it
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
        return sockets


class OnlyHttp1(H11Protocol):
    """Never upgrades to HTTP/2, which browsers request only over TLS, and that ends at the proxy. Hypercorn 0.18 would
    log a traceback for each malformed upgrade."""

    async def handle(self, event: Event) -> None:
        if isinstance(event, Closed):  # else it stays half open until the idle time-out
            await self.send(Updated(idle=False))
        await super().handle(event)

    async def _check_protocol(self, event: Any) -> None:
        pass


class Connection(TCPServer):
    """A client's connection. Logs its errors at DEBUG only, because a client must not be able to fill the log. Errors
    of pages are logged elsewhere. The ones here are clients that left at a moment unexpected by Hypercorn 0.18."""

    async def run(self) -> None:
        try:
            await super().run()
        except Exception:
            logger.debug("a connection broke", exc_info=True)


def prepare() -> None:
    """Install both classes, and raise the limit of open files to the maximum. Call once, before the server starts."""
    hypercorn.asyncio.run.TCPServer = Connection  # type: ignore[attr-defined]
    hypercorn.protocol.H11Protocol = OnlyHttp1  # type: ignore[attr-defined]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS reports more than it allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
