"""Where the jobs of a worker are: asked of it over its control channel, when somebody wants to see it."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import msgpack

from ..client.connection import JobsRedis
from ..errors import QueueUnavailable
from ..store.cancellation import wait_at_most
from ..store.subscription import Subscription

PATIENCE_S = 2.0


@dataclass(frozen=True)
class Place:
    file: str
    line: int
    function: str


@dataclass(frozen=True)
class JobStack:
    """Where a job is."""

    id: str
    task: str
    kind: str  # What runs it: coroutine, thread, or a process, whose stack is not known.
    places: tuple[Place, ...]  # From outside in.

    @property
    def lines(self) -> list[str]:
        """For the command line."""
        at = [f"  {place.file}:{place.line} {place.function}" for place in self.places]
        return [f"{self.id}  {self.task}  {self.kind}", *at]


async def stacks(connection: JobsRedis, worker: str) -> list[JobStack] | None:
    """The stack of each of its jobs, of 100 at most; None: it does not listen. TimeoutError: it listens, and does not
    answer in PATIENCE_S: its event loop is blocked, and its log says where."""
    token, ready = uuid4().hex, asyncio.Event()
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def hear(_: bytes, message: bytes) -> None:
        if not answered.done():
            answered.set_result(message)

    listening = Subscription(connection.connection_pool, [connection.key.REPLY + token], hear=hear, look=ready.set)
    await connection.ping()  # where Redis is away, it says how
    listening.start()
    try:
        if not await wait_at_most(1, ready.wait()) or listening.denied:
            await connection.publish(connection.key.REPLY + token, "")  # says why, if Redis takes nothing at all
            raise QueueUnavailable(f"Redis refuses us: {listening.denied}" if listening.denied else "Redis is away")
        if not await connection.publish(connection.key.CONTROL + worker, f"stack {token}"):
            return None
        async with asyncio.timeout(PATIENCE_S):
            found = msgpack.unpackb(await answered)
    finally:
        await listening.close()
    return [JobStack(job_id, task, kind, tuple(Place(*at) for at in places)) for job_id, task, kind, places in found]
