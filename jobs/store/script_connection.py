"""One connection of its own to Redis, for scripts: one call at a time, and nothing is ever sent twice by itself."""

import asyncio
import builtins
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from hiredis import Reader, pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError, InvalidResponse, NoScriptError, ResponseError, TimeoutError

from .keys import Keys
from .outage import is_away
from .scripts import Name, script

T = TypeVar("T")
_NOT_YET = object()


class Wire(asyncio.Protocol):
    """Takes over a socket that redis-py has opened and logged in: its streams cost more than all else of a call."""

    def __init__(self, connection: AbstractConnection) -> None:
        refusal = connection._parser.parse_error
        self._reader = Reader(protocolError=InvalidResponse, replyError=refusal, notEnoughData=_NOT_YET)
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Any] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self.connection = connection
        assert connection._writer is not None
        self.transport = connection._writer.transport
        self.transport.set_protocol(self)

    @classmethod
    async def open(cls, connection: AbstractConnection, timeout_s: float) -> Self:
        """The wire of a *connection* that is not open yet."""
        try:
            async with asyncio.timeout(timeout_s):
                await connection.connect()
            return cls(connection)
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, builtins.TimeoutError):
                raise _late(timeout_s) from None
            raise

    async def ask(self, command: bytes, timeout_s: float) -> Any:
        """The answer to *command*. After any error but a ResponseError the wire must be closed."""
        self._answer = answer = self._loop.create_future()
        self._timeout_s, self._late_at = timeout_s, self._loop.time() + timeout_s
        if self._timer is None or self._timer.when() > self._late_at:
            self._look()
        self.transport.write(command)
        reply = await answer
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _look(self) -> None:
        """Is the answer late? If not, look when it will be. One timer serves many commands: few are ever late."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._loop.time() >= self._late_at:
            self._end(_late(self._timeout_s))
        elif not self._answer.done():
            self._timer = self._loop.call_at(self._late_at, self._look)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            reply = self._reader.gets()
        except Exception as error:  # what answers there is no Redis
            reply = error
        if reply is not _NOT_YET:
            self._end(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ConnectionError(f"the connection was lost: {error or 'the server closed it'}"))

    def _end(self, reply: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(reply)


def _late(timeout_s: float) -> TimeoutError:
    return TimeoutError(f"no answer within {timeout_s:g} s")


class ScriptConnection:
    """Runs scripts and commands on a connection made by *pool* and kept.

    After any error but the server's own answer, the connection is closed and the next call opens a new one: a reply
    that comes late is never taken for the answer to another call. No answer within the pool's `socket_timeout` (5 s
    unless the address says otherwise) is a TimeoutError.
    """

    def __init__(self, pool: ConnectionPool, key: Keys) -> None:
        self._pool = pool
        self.key = key
        self._timeout_s: float = pool.connection_kwargs.get("socket_timeout") or 5
        self._wire: Wire | None = None
        self._lock = asyncio.Lock()
        self.has_sent = False  # Has a command gone out since somebody set this to False?
        self._failure: Exception | None = None  # The last one: by it, calls that wait see that one has happened.

    async def run(self, name: Name, args: Sequence[str | bytes | int]) -> Any:
        """Run a script by its hash; a server that does not know it yet gets its text (nothing had run)."""
        own = script(name, bool(self.key.prefix))
        try:
            return await self.command(b"EVALSHA", own.sha, 1, self.key.OURS, *args)
        except NoScriptError:
            return await self.command(b"EVAL", own.text, 1, self.key.OURS, *args)

    async def command(self, *words: str | bytes | int | float, patience_s: float = 0) -> Any:
        """Send one command and wait for its answer, *patience_s* longer than for others.

        Calls that wait for their turn fail with the one before them if its connection failed, so that none waits for
        many time-outs in a row. A call that the server refuses does not fail the next.
        """
        before = self._failure
        async with self._lock:
            if self._failure is not before:
                raise ConnectionError(str(self._failure)) from self._failure  # it failed for both
            try:
                if self._wire is not None and self._wire.transport.is_closing():
                    await self.close()
                wire = self._wire = self._wire or await Wire.open(unpooled(self._pool), self._timeout_s)
                packed = pack_command(words)  # type: ignore[arg-type]  # its stub
                self.has_sent = True
                return await wire.ask(packed, self._timeout_s + patience_s)
            except ResponseError as refused:
                # after a failover the name may lead to another server; a new login may be let in
                if is_away(refused):
                    await self.close()
                raise
            except BaseException as error:
                if isinstance(error, Exception):
                    self._failure = error
                await self.close()
                raise

    async def with_own_keys(self, do: Callable[[], Awaitable[T]]) -> T:
        """What *do* returns; where a key was of another type, it is put aside, and *do* is tried once more."""
        try:
            return await do()
        except ResponseError as error:
            if "WRONGTYPE" not in str(error) or not await self.put_aside():
                raise
        return await do()

    async def put_aside(self) -> bool:
        """Rename each key of ours that has another type to `jobs:aside:<key>`, for a week; True if there was one."""
        wrong_types = import_module("..contrib.wrong_types", __package__)
        return await wrong_types.put_aside(self)  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.connection.disconnect(nowait=True)


_unpooled: WeakKeyDictionary[ConnectionPool, WeakSet[AbstractConnection]] = WeakKeyDictionary()


def unpooled(pool: ConnectionPool) -> AbstractConnection:
    """A connection that *pool* does not keep, without redis-py's time-outs: one around a whole call is cheaper."""
    connection: AbstractConnection = pool.make_connection()
    connection.socket_timeout = None
    _unpooled.setdefault(pool, WeakSet()).add(connection)
    return connection


def abandon(pool: ConnectionPool) -> None:
    """Close the sockets of all that *pool* made, for a loop that is closed: they cannot end by themselves there."""
    made = (*pool._available_connections, *pool._in_use_connections, *_unpooled.get(pool, ()))
    for connection in made:
        if (writer := connection._writer) is None:
            continue
        connection._reader = connection._writer = None
        with contextlib.suppress(Exception):  # the loop is closed, and takes no more calls
            writer.transport.abort()
        with contextlib.suppress(Exception):  # which is the call that closes the socket
            writer.transport._call_connection_lost(None)  # a method of asyncio's own
