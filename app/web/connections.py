"""How the web server takes connections: many at once, in HTTP/1.1 alone, and none for ever."""

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

WAITING = 2_048
"""As many may wait to be accepted; who comes after them waits a second or more, whoever it is."""
UNREAD_S = 30
"""A client that takes nothing of its answer for so long is gone."""

logger = logging.getLogger(__name__)


class Connections(Config):
    """Hypercorn's settings, and those that it has no words for."""

    backlog = WAITING

    def create_sockets(self) -> Sockets:
        sockets = super().create_sockets()
        for listening in sockets.insecure_sockets:
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; each accepted connection inherits it
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
        return sockets


class OnlyHttp1(H11Protocol):
    """No upgrade to HTTP/2: browsers ask for that over TLS, which ends at the proxy. Whoever asks here gets HTTP/1.1,
    where Hypercorn 0.18 would write a traceback for each request that asks in the wrong way."""

    async def handle(self, event: Event) -> None:
        if isinstance(event, Closed):  # else it stays half open for as long as a client may be idle
            await self.send(Updated(idle=False))
        await super().handle(event)

    async def _check_protocol(self, event: Any) -> None:
        pass


class Connection(TCPServer):
    """One client's. What a page raises is caught and logged further in; what comes this far is a client that went away
    in a moment that Hypercorn 0.18 does not expect, and no client shall fill the log."""

    async def run(self) -> None:
        try:
            await super().run()
        except Exception:
            logger.debug("a connection was broken off", exc_info=True)


def prepare() -> None:
    """Once, before the server starts: its two classes, and all the open files that the system allows this process."""
    hypercorn.asyncio.run.TCPServer = Connection  # type: ignore[attr-defined]
    hypercorn.protocol.H11Protocol = OnlyHttp1  # type: ignore[attr-defined]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS names more than it gives
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
