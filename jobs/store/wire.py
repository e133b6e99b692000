"""The socket of one connection: a command goes out, and its answer comes back."""

import asyncio
import builtins
from typing import Any, Self

from hiredis import Reader
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, InvalidResponse, TimeoutError

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
