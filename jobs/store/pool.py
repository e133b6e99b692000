"""redis-py's pool and pipeline, as JobsRedis needs them."""

import socket
from typing import Any

from redis.asyncio import client
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10} if hasattr(socket, "TCP_KEEPIDLE") else {}
"""Seconds of silence after which TCP asks whether the other side is still there: no network forgets the connection."""
POOL_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "socket_keepalive_options": KEEPALIVE,
    # a JobsRedis tries commands again: it knows how long that may take
    "retry": Retry(NoBackoff(), 0),
}


class Pool(ConnectionPool):
    """redis-py 5 connects under a lock: before a Redis that hangs, each would wait until those before it gave up."""

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> AbstractConnection:
        """A connection that is ready; nobody else has it until it is released."""
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]  # redis-py's
        try:
            await self.ensure_connection(connection)
        except BaseException:
            # else one that could not SELECT its database goes on in another
            await connection.disconnect(nowait=True)
            await self.release(connection)
            raise
        return connection


class Pipeline(client.Pipeline):
    """redis-py's, tried again while Redis is away."""

    def __init__(self, store: Any, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(store.connection_pool, store.response_callbacks, transaction, shard_hint)
        self._store = store

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, run = self.command_stack, super().execute

        async def again() -> list[Any]:
            self.command_stack = commands  # a failure has emptied it
            return await run(raise_on_error)

        return await self._store.notifications.ask(again)  # type: ignore[no-any-return]
