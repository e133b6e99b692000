"""The connection that `.delay()` uses when none is named: one for the whole process.

A plain global, on purpose: a ContextVar that a web server's lifespan sets is unset again in its request handlers.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from ..errors import NotConnected

_connections: list[Any] = []  # JobsRedis. Its module needs arq and this one must not: workflows run without.
_kept: list[Any] = []  # That of `open_connection()` or `blocking.connect()`, used outside of every block.

example = 'async with connect("redis://localhost:6379"):'  # another one in tests


def current() -> Any:
    """The connection made last and not ended yet; NotConnected says how to make one."""
    if not (found := _connections or _kept):
        raise NotConnected(
            f"no Redis to use: call this inside `{example}`, after `await open_connection(...)`, or, in plain code, "
            "after `blocking.connect(...)`"
        )
    return found[-1]


def winner() -> Any:
    """The connection of eager mode or of a test's worker, if there is one: `connect()` inside its block uses it."""
    return next((connection for connection in reversed(_connections) if connection.wins), None)


@contextlib.contextmanager
def connected(connection: Any) -> Iterator[None]:
    """Make *connection* the default until the block ends."""
    _connections.append(connection)
    _give_middleware()
    try:
        yield
    finally:
        _connections.remove(connection)


def keep(connection: Any) -> list[Any]:
    """Make *connection* the default outside of blocks, until `drop()`. Returns those whose place it takes."""
    earlier, _kept[:] = _kept[:], [connection]
    _give_middleware()
    return earlier


def is_kept(connection: Any) -> bool:
    return connection in _kept


def drop(connection: Any) -> None:
    """It is the default no more, if it was."""
    if connection in _kept:
        _kept.remove(connection)


def _give_middleware() -> None:
    """Calls that eager mode or a test's worker takes go through the middleware of the connection outside, too."""
    if _kept and (taker := winner()) is not None:
        taker.middleware = (*(one for one in _kept[0].middleware if one not in taker.middleware), *taker.middleware)
