"""The connection that `.delay()` uses when none is named: one for the whole process.

A plain global, on purpose: a ContextVar that a web server's lifespan sets is unset again in its request handlers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ..errors import NotConnected


class Connection(Protocol):
    """What stores calls: a JobsRedis, whose module needs arq. Workflows run without either."""

    wins: bool

    async def submit(self, node: Any, options: Mapping[str, Any], /) -> Any: ...

    async def submit_many(self, nodes: Iterable[Any], options: Mapping[str, Any], /) -> Any: ...


_connections: list[Any] = []


def current() -> Any:
    """The Connection made last and not ended yet; NotConnected says how to make one."""
    if not _connections:
        raise NotConnected(
            'no Redis to use: call this inside `async with connect("redis://localhost:6379"):`'
        )
    return _connections[-1]


def winner() -> Connection | None:
    """The connection of eager mode, if that is on: it wins over every `connect()` inside its block."""
    return next((connection for connection in reversed(_connections) if connection.wins), None)


@contextlib.contextmanager
def connected(connection: Connection) -> Iterator[None]:
    """Make *connection* the default until the block ends."""
    _connections.append(connection)
    try:
        yield
    finally:
        _connections.remove(connection)
