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
        self._answer: asyncio.Future[Any] | None = None
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        assert connection._writer is not None
        self._transport = connection._writer.transport
        self._transport.set_protocol(self)

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

    @property
    def is_closed(self) -> bool:
        return self._transport.is_closing()

    async def ask(self, command: bytes, timeout_s: float) -> Any:
        """The answer to *command*. After any error but a ResponseError the wire must be closed."""
        self._answer = answer = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, lambda: self._end(_late(timeout_s)))
        try:
            self._transport.write(command)
            reply = await answer
        finally:
            timer.cancel()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

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
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reply)


def _late(timeout_s: float) -> TimeoutError:
    return TimeoutError(f"no answer within {timeout_s:g} s")
