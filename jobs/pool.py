"""redis-py's pool, but that one connection which is slow to come up holds up no other."""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool


class Pool(ConnectionPool):
    """redis-py 5 connects under a lock: before a Redis that hangs, each would wait until those before it gave up."""

    async def get_connection(
        self, command_name: Any = None, *keys: Any, **options: Any
    ) -> AbstractConnection:
        """A connection that is ready; nobody else has it until it is released."""
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]  # redis-py's
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await connection.disconnect(
                nowait=True
            )  # else one that could not SELECT its database goes on in another
            await self.release(connection)
            raise
        return connection
