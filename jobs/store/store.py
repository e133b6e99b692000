"""How Redis is reached: its connections in each event loop, scripts, and calls as they are stored."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio import client
from redis.asyncio.connection import ConnectionPool

from .. import encoding
from ..values import sendable
from ..values.calls import all_awaited
from . import default
from .call import Answer, Call, Sender
from .keys import Keys
from .notifications import Notifications
from .script_connection import ScriptConnection, abandon
from .scripts import Name
from .stored_values import moment_of, whole

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


SIZE_LIMIT = 256 * 1024  # Bytes that one call's arguments, or one result, may take.

TAKEN, NEW, REFUSED, CLASH = 0, 1, 2, 3  # The answer to a call: see enqueue.lua.


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


@all_awaited
class Store(ArqRedis):
    """arq's Redis, which stores calls and runs scripts. What callers do with it is in JobsRedis, above."""

    steps: Callable[[Any], Any] | None = None  # What has the steps of a job, where that is not Redis.
    replays = False  # Does a job run again from its top after each of its steps, as in tests?
    wins = False  # Is it used in place of every connection that is made while it is the default?

    def __init__(self, pool_or_conn: ConnectionPool | None = None, *, prefix: str = "", **options: Any) -> None:
        """*prefix*: what every key and channel begins with; `{shop}:` keeps an application in one slot of a cluster."""
        self.key = Keys(prefix)
        options.setdefault("default_queue_name", self.key.QUEUE)
        self.dumps: Callable[[Any], bytes] = options.get("job_serializer") or encoding.dumps
        """What encodes calls and results: ours, unless another serializer was given."""
        options["job_serializer"] = self.dumps
        given = options.get("job_deserializer")
        self.loads = encoding.first_that_can(given, encoding.loads_stored)
        """What decodes them, and what scripts and other processes wrote with ours."""
        options["job_deserializer"] = encoding.first_that_can(given, encoding.loads_job)
        self.is_own_encoding = self.dumps is encoding.dumps and given is None
        self._expires_extra_ms: int | None = options.get("expires_extra_ms")
        self._ready = False
        super().__init__(pool_or_conn, **options)
        self._ready = True
        self.size_limit = SIZE_LIMIT
        self.patience_s = 2.0
        """How long a call, and every other question, waits for a Redis that is away before QueueUnavailable."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """What each command of redis-py calls, but those in a pipeline."""
        command = super().execute_command
        return await self.notifications.ask(lambda: command(*args, **options))  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self, transaction, shard_hint)

    @property
    def connection_pool(self) -> ConnectionPool:
        """The connections of the running loop: a socket belongs to the loop that opened it."""
        if self._ready:
            with contextlib.suppress(RuntimeError):  # no loop is running
                return self._loops.here().pool
        return self._loops.pool

    @connection_pool.setter
    def connection_pool(self, pool: ConnectionPool) -> None:
        self._loops = Loops(pool, lambda: self.patience_s, self.key)

    @property
    def notifications(self) -> Notifications:
        """What hears of the ends of jobs, in the running loop."""
        return self._loops.here().notifications

    async def enqueue(self, calls: Sequence[Call]) -> list[Answer]:
        """Store calls. For each: NEW; TAKEN where its id is; REFUSED where its workflow was revoked; CLASH where its id
        is that of a member of a workflow, or, of a member, that of another job; or the id of the job that has its key.
        What is stored survives any crash.

        Calls made while another is under way travel together. A call whose answer was lost is sent again, which changes
        nothing if it had arrived. QueueUnavailable: Redis was away for `patience_s`; the calls may have been stored.
        """
        return await self._loops.here().sender.send(calls, self.patience_s)

    def encode_call(
        self,
        task: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        job_try: int | None = None,
        options: Mapping[str, Any] | None = None,
        limit: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The call in arq's own shape. With a *limit* it is one of ours: its values were taken before, and wrapped."""
        now = int(time.time() * 1000)
        call: dict[str, Any] = {"t": job_try, "f": task, "a": list(args), "k": dict(kwargs), "et": now}
        if options:
            call["o"] = options
        if headers:
            call["h"] = dict(headers)
        if self.is_own_encoding:
            depth = sendable.DEPTH if limit is None else encoding.WRAPPED
            sendable.check_all((*args, *kwargs.values()), depth, limit or self.size_limit)
            payload = encoding.pack(call)
        else:
            payload = self.dumps(call)
        if len(payload) > (limit or self.size_limit):
            raise sendable.too_large("the arguments take", len(payload), limit or self.size_limit)
        return payload

    async def run_script(self, script: Name, *args: str | bytes | int) -> Any:
        """Run a script that may safely run twice, on a connection of the pool."""
        return await self.notifications.run(script, args)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close every connection, in the loops of other threads too. Calls that were not answered yet raise."""
        default.drop(self)
        pool_too = self.auto_close_connection_pool if close_connection_pool is None else close_connection_pool
        await self._loops.close(pool_too=pool_too)


async def now_ms(connection: Store) -> int:
    """Now, in ms since the epoch, by the clock of Redis: the only one that counts."""
    seconds, microseconds = await connection.time()
    return int(seconds * 1000 + microseconds // 1000 + whole(await connection.get(connection.key.CLOCK)))


async def now(connection: Store) -> datetime:
    """The same as a moment."""
    return moment_of(await now_ms(connection))
