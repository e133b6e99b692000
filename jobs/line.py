"""One connection of its own to Redis, for scripts: one call at a time, and nothing is ever sent twice by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError, NoScriptError, ResponseError, TimeoutError

from jobs.scripts import Script

REDIS_AWAY = (ConnectionError, TimeoutError, OSError)
"""The connection failed: whether the server did what it was asked is not known."""

_REFUSALS = (
    "READONLY",
    "OOM",
    "OUTOFMEMORY",  # redis-py names the error so, and takes OOM out of its text
    "MISCONF",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "BUSY",
    "UNBLOCKED",
)


def is_away(error: BaseException) -> bool:
    """Will the same call work later? True for lost connections and for a server that cannot write just now."""
    return isinstance(error, REDIS_AWAY) or (isinstance(error, ResponseError) and refusal(error) is not None)


def refusal(error: BaseException) -> str | None:
    """Which of its own states made the server refuse, if that is what happened."""
    text = f"{type(error).__name__} {error}".upper()
    return next((word for word in _REFUSALS if word in text), None)


class Line:
    """Runs scripts and commands on a connection made by *pool* and kept.

    After any error but the server's own answer, the connection is closed and the next call opens a new one: a reply
    that comes late is never taken for the answer to another call. No answer within *timeout_s* is a TimeoutError.
    """

    def __init__(self, pool: ConnectionPool, timeout_s: float = 5) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._connection: AbstractConnection | None = None
        self._lock = asyncio.Lock()

    async def run(self, script: Script, args: Sequence[str | bytes | int]) -> Any:
        """Run *script* by its hash; a server that does not know it yet gets its text (nothing had run)."""
        try:
            return await self.command(b"EVALSHA", script.sha, 0, *args)
        except NoScriptError:
            return await self.command(b"EVAL", script.text, 0, *args)

    async def command(self, *words: str | bytes | int | float, patience_s: float = 0) -> Any:
        """Send one command and wait for its answer, *patience_s* longer than for others."""
        async with self._lock:
            connection = self._connection or self._make()
            try:
                async with asyncio.timeout(self._timeout_s + patience_s):
                    if not connection.is_connected:
                        await connection.connect()
                    await connection.send_packed_command(pack_command(words), check_health=False)  # type: ignore[arg-type]  # its stub
                    return await connection.read_response(disconnect_on_error=False)
            except ResponseError as error:
                if refusal(error) is not None:  # after a failover the name may lead to another server
                    await self.close()
                raise
            except BaseException:
                await self.close()
                raise

    def _make(self) -> AbstractConnection:
        self._connection = self._pool.make_connection()
        # asyncio.timeout() around the whole call is cheaper than redis-py's own around each read and write
        self._connection.socket_timeout = None
        return self._connection

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def abandon(self) -> None:
        """As `close`, where the loop is closed."""
        abandon(self._connection)
        self._connection = None


def abandon(connection: AbstractConnection | None) -> None:
    """Close the socket of a connection whose loop is closed: it cannot end by itself there."""
    writer = connection._writer if connection is not None else None
    if connection is None or writer is None:
        return
    connection._reader = connection._writer = None
    with contextlib.suppress(Exception):  # the loop is closed, and takes no more calls
        writer.transport.abort()
    with contextlib.suppress(Exception):  # which is the call that closes the socket
        writer.transport._call_connection_lost(None)  # type: ignore[attr-defined]  # a method of asyncio's own
