"""A call as Redis has it: its moments, its fields, its bytes; and how calls are sent: those made meanwhile together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any, Final, TypeAlias

import msgpack

from ..errors import QueueUnavailable
from ..values import checks, sendable
from . import keys
from .outage import while_away
from .script_connection import ScriptConnection
from .stored_values import chunked

Moment = float | timedelta | datetime | None
"""A delay in seconds from Redis' now, or a time; a naive time is local, as `datetime.timestamp()` reads it."""

Answer: TypeAlias = int | bytes | list[bytes]
"""See enqueue.lua; bytes are the id of the job that has the key of the call, in a list if it took its arguments."""

LARGE_LIMIT: Final = sendable.LARGEST  # Bytes of a call of values that were taken before, and of a workflow.


@dataclass(slots=True)
class Call:
    """One call on its way to Redis. `due` and `expires`: '' none, '+n' ms from Redis' now, 'n' ms since the epoch.

    A member of a workflow has its `parent` and its `path` there; a workflow has its `tree` and its `name`.
    `keys`: those of its limits, see buckets.lua.
    """

    id: str
    queue: str
    payload: bytes
    task: str
    due: str = ""
    expires: str = ""
    parent: str = ""
    path: str = ""
    tree: bytes = b""
    name: str = ""
    unique: keys.StoredKey | tuple[()] = ()
    keys: str = ""

    def words(self) -> tuple[str | bytes, ...]:
        """What `read_call` in storing.lua reads: what a call may have goes as one map."""
        packed = b""
        if self.due or self.expires or self.parent or self.tree or self.unique or self.keys:
            more = {name: value for name in _MORE if (value := getattr(self, name))}
            packed = msgpack.packb(more, use_bin_type=False)  # Lua knows no type of bytes
        return (self.id, self.queue, self.payload, self.task, packed)


def packed_key(unique: keys.StoredKey | tuple[()]) -> bytes:
    """The key of a call that schedules make, as `key_of` in unique.lua reads it."""
    return msgpack.packb(unique, use_bin_type=False) if unique else b""


_MORE: Final = ("due", "expires", "parent", "path", "tree", "name", "unique", "keys")


def moment(value: Moment) -> str:
    """'+n' ms from now for a delay, 'n' ms since 1970 for a time, '' for none. TypeError or WrongValue for others."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(min(max(int(value.timestamp() * 1000), 0), keys.LAST_MS))
    return f"+{max(int(checks.seconds('delay', value) * 1000), 0)}"


Unsent: TypeAlias = tuple[Sequence[Call], asyncio.Future[list[Answer]], float]
"""Calls that wait, who waits for their answers, and since when."""


class Sender:
    """Stores calls on one connection. Their ends are published to the channel *reply*."""

    def __init__(self, connection: ScriptConnection, reply: str) -> None:
        self._connection = connection
        self._reply = reply
        self._patience_s = 0.0
        self.outbox: list[Unsent] = []
        self.sending = False
        self._task: asyncio.Task[None] | None = None

    async def send(self, calls: Sequence[Call], patience_s: float) -> list[Answer]:
        """As `JobsRedis.enqueue`: a Redis that is away is waited for, *patience_s* long."""
        self._patience_s = patience_s
        if self.sending:
            future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
            self.outbox.append((calls, future, time.monotonic()))
            return await future
        self.sending = True
        try:
            return await self._store(calls, patience_s)
        finally:
            if self.outbox:
                self._task = asyncio.create_task(self._send_all())
            else:
                self.sending = False

    async def close(self) -> None:
        """Close the connection. Calls that were not answered yet raise."""
        if self._task is not None:
            self._task.cancel()
        await self._connection.close()

    async def _send_all(self) -> None:
        """Send what was called while another call was under way, all together."""
        try:
            while self.outbox:
                batch, self.outbox = self.outbox, []
                await self._send_together(batch)
        finally:
            self.sending = False

    async def _send_together(self, batch: list[Unsent]) -> None:
        waited_s = time.monotonic() - batch[0][2]
        try:
            together = [call for calls, *_ in batch for call in calls]
            answers = iter(await self._store(together, self._patience_s - waited_s))
        except BaseException as error:
            for _, future, _ in batch:
                refuse(future, error)
            if not isinstance(error, Exception):
                raise
            return
        for calls, future, _ in batch:
            own = list(islice(answers, len(calls)))
            if not future.done():
                future.set_result(own)

    async def _store(self, calls: Sequence[Call], patience_s: float) -> list[Answer]:
        """Calls that waited as long as they may while these failed are not tried: they would wait twice as long."""
        answers: list[Answer] = []
        self._connection.has_sent = False
        try:
            for some in chunked(calls):
                args = [self._reply, *chain.from_iterable(call.words() for call in some)]
                store = partial(self._connection.with_own_keys, partial(self._connection.run, "enqueue", args))
                answers += await while_away(store, patience_s, self._not_taken)
        except QueueUnavailable as error:
            old = time.monotonic() - self._patience_s
            while self.outbox and self.outbox[0][2] < old:
                refuse(self.outbox.pop(0)[1], error)
            raise
        return answers

    def _not_taken(self) -> str:
        stored = "it may or may not be" if self._connection.has_sent else "nothing is"
        return f"Redis did not take the call, {stored} stored"


def refuse(future: asyncio.Future[Any], error: BaseException) -> None:
    """Have those who wait for it raise *error*, unless they wait no longer."""
    if not future.done():
        future.set_exception(error)
