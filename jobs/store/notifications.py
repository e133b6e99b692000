"""Hears when jobs end, and reads their states and results, many in one call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

import msgpack
from redis.asyncio.connection import ConnectionPool

from ..errors import NotConnected, QueueUnavailable
from .call import refuse
from .cancellation import cancel_until_ended
from .keys import Keys
from .outage import Changes, while_away
from .script_connection import ScriptConnection
from .scripts import Name
from .stored_values import text
from .subscription import Subscription

T = TypeVar("T")
Hear: TypeAlias = Callable[[Mapping[str, bytes | None], str], None]
"""It is given the paths of members that ended, with their entries if the run of the workflow is given too."""
logger = logging.getLogger("jobs.notifications")

READ_AGAIN_S = 0.5  # How long to wait before states are read again that could not be read.
READ_TOGETHER = 500
TERMINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True)
class JobState:
    """The state of a job, and the bytes of its result and of its progress, empty for none."""

    state: str
    result: bytes
    meta: bytes

    @property
    def ended(self) -> bool:
        """Nothing more will be heard of it."""
        return self.state in TERMINAL or self.state in ("ENDED", "UNKNOWN")


class Notifications:
    """A reply channel of this process. Subscribe, then read, then wait; read again after every reconnect."""

    def __init__(self, pool: ConnectionPool, patience_s: Callable[[], float], key: Keys) -> None:
        self.name = uuid4().hex[:12]
        self.listener = "+" + self.name  # that is, it takes the entries of members along with their paths
        self._patience_s = patience_s
        self._connection = ScriptConnection(pool, key)
        self._waiting: dict[str, set[asyncio.Future[JobState]]] = {}
        self._asked: set[str] = set()
        self._failing = Changes()
        self._reader: asyncio.Task[None] | None = None
        channels = [key.REPLY + self.name, key.NEWS + self.listener]
        self._subscription = Subscription(pool, channels, hear=self._hear, look=self.look)
        self._followed: dict[str, tuple[Hear, Callable[[], object]]] = {}

    async def run(self, script: Name, args: Sequence[str | bytes | int]) -> Any:
        """Run a script that may safely run twice. QueueUnavailable once Redis was away for `patience_s()`."""
        return await self.ask(lambda: self._connection.run(script, args))

    async def ask(self, do: Callable[[], Awaitable[T]]) -> T:
        """What *do* returns: it may safely run twice, and waits for Redis as `run` does."""
        return await while_away(partial(self._connection.with_own_keys, do), self._patience_s())

    async def read(self, ids: Sequence[str], channel: str = "") -> list[JobState]:
        """The states of these jobs now. *channel* gets the ids of those that have not ended when they do."""
        answers = await self.run("read", [channel, *ids])
        return [JobState(text(state), result, meta) for state, result, meta in answers]

    async def wait_until_ended(self, job_id: str) -> JobState:
        """Wait until the job has ended or is UNKNOWN, however long Redis is away. QueueUnavailable: it refuses us."""
        future: asyncio.Future[JobState] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(future)
        if self._subscription.start():
            self._ask([job_id])
        try:
            return await future
        finally:
            waiting = self._waiting.get(job_id, set())
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(job_id, None)

    async def close(self) -> None:
        """Stop listening. A `get()` that still waits raises NotConnected."""
        await self._subscription.close()
        await cancel_until_ended([self._reader])
        self._settle(list(self._waiting), NotConnected("the connection was closed while the job had not ended"))
        await self._connection.close()

    def _ask(self, ids: Iterable[str]) -> None:
        """Read these, with all others that are asked for in this turn of the loop."""
        self._asked.update(ids)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._answer(), context=Context())  # it reads for many jobs

    async def _answer(self) -> None:
        while self._asked:
            ids = [self._asked.pop() for _ in range(min(len(self._asked), READ_TOGETHER))]
            try:
                found = await while_away(partial(self.read, ids, self.name))
            except QueueUnavailable as refused:  # no waiting would help
                self._settle(ids, refused)
            except Exception as error:
                if self._failing.to(repr(error)):
                    logger.error("the states of %d jobs cannot be read; trying again", len(ids), exc_info=error)
                self._asked.update(job_id for job_id in ids if job_id in self._waiting)
                await asyncio.sleep(READ_AGAIN_S)
            else:
                self._failing.to("")
                for job_id, job in zip(ids, found, strict=True):
                    if job.ended:
                        self._settle([job_id], job)

    def _settle(self, ids: Sequence[str], answer: JobState | Exception) -> None:
        for future in (future for job_id in ids for future in self._waiting.pop(job_id, set())):
            if isinstance(answer, Exception):
                refuse(future, answer)
            elif not future.done():
                future.set_result(answer)

    def follow(self, workflow: str, hear: Hear, look: Callable[[], object]) -> None:
        """Call *hear* of members that ended, and *look* when messages may have been lost."""
        self._followed[workflow] = (hear, look)
        if self._subscription.start():
            look()

    def unfollow(self, workflow: str) -> None:
        self._followed.pop(workflow, None)

    def _hear(self, channel: bytes, message: bytes) -> None:
        if channel.startswith(self._connection.key.NEWS.encode()):
            self.hear_news(message)
        else:
            ids = map(text, msgpack.unpackb(message, raw=True))
            self._ask(job_id for job_id in ids if job_id in self._waiting)

    def hear_news(self, message: bytes) -> None:
        """Members of a workflow have ended; *message* as ending.lua writes it."""
        words = msgpack.unpackb(message, raw=True)
        if followed := self._followed.get(text(words[0])):
            if isinstance(words[1], dict):
                followed[0]({text(path): entry for path, entry in words[1].items()}, text(words[2]))
            else:
                followed[0](dict.fromkeys(map(text, words[1:])), "")

    def look(self) -> None:
        """Messages may have been lost: ask for what is waited for."""
        self._ask(self._waiting)
        for _, look in self._followed.values():
            look()
