"""The event loops of a process: each running loop has its own sockets to Redis, closed when that loop ends."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from functools import partial

from redis.asyncio.connection import ConnectionPool

from .call import Sender
from .keys import Keys
from .notifications import Notifications
from .script_connection import ScriptConnection, abandon

CLOSE_LOOPS_S = 2  # How long the closing of a connection waits for the loops of other threads.


class LoopClient:
    """What a JobsRedis has in one event loop: sockets, locks and tasks, which no other loop may touch."""

    def __init__(self, pool: ConnectionPool, patience_s: Callable[[], float], key: Keys) -> None:
        self.pool = pool
        self.notifications = Notifications(pool, patience_s, key)
        self.sender = Sender(ScriptConnection(pool, key), self.notifications.name)
        self._pool_too = True
        self._until_closed = self._closed_at_last()
        with contextlib.suppress(StopIteration):  # begun: at its end the running loop ends every open async generator
            self._until_closed.__anext__().send(None)

    async def _closed_at_last(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.notifications.close()
            await self.sender.close()
            if self._pool_too:
                await self.pool.disconnect()

    async def close(self, *, pool_too: bool = True) -> None:
        """Close everything, in the loop that it belongs to; the pool's own connections may be left to another owner."""
        self._pool_too = pool_too
        await self._until_closed.aclose()


class Loops:
    """The LoopClients of one JobsRedis. The first loop that asks has *pool* itself, others have copies of it.

    Many threads may come here at once, without a lock, which a fork could leave held: `next`, and each call of the dict
    by itself, is one step for Python.
    """

    def __init__(self, pool: ConnectionPool, patience_s: Callable[[], float], key: Keys) -> None:
        self.pool = pool
        self._original = iter([pool])
        self._client_of = partial(LoopClient, patience_s=patience_s, key=key)
        self._clients: dict[asyncio.AbstractEventLoop, LoopClient] = {}

    def here(self) -> LoopClient:
        loop = asyncio.get_running_loop()
        return self._clients.get(loop) or self._add(loop)

    def _add(self, loop: asyncio.AbstractEventLoop) -> LoopClient:
        self._abandon_closed()
        pool = self.pool
        copy = partial(type(pool), pool.connection_class, pool.max_connections, **pool.connection_kwargs)
        client = self._clients[loop] = self._client_of(next(self._original, None) or copy())
        return client

    def _abandon_closed(self) -> None:
        for loop in list(self._clients):
            if loop.is_closed() and (client := self._clients.pop(loop, None)) is not None:
                abandon(client.pool)

    async def close(self, *, pool_too: bool) -> None:
        """Close what every loop has, in its own loop; with *pool_too*, this loop's pool as well."""
        self._abandon_closed()
        own = self._clients.pop(asyncio.get_running_loop(), None)
        elsewhere = []
        for loop in list(self._clients):  # one that is not running keeps its client, and closes it at its end
            if loop.is_running() and (client := self._clients.pop(loop, None)) is not None:
                elsewhere.append(asyncio.run_coroutine_threadsafe(client.close(), loop))
        if own is not None:
            await own.close(pool_too=pool_too)
        if elsewhere:
            await asyncio.wait([asyncio.wrap_future(future) for future in elsewhere], timeout=CLOSE_LOOPS_S)
