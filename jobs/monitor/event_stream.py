"""What happens, as it happens. Scripts tell of it only while somebody listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgpack

from ..client.connection import JobsRedis
from ..errors import QueueUnavailable
from ..store.cancellation import cancel_until_ended
from ..store.clock import now
from ..store.outage import denial, is_away
from ..store.stored_values import moment_of
from ..store.subscription import Subscription
from .worker_list import online

LISTENS_S = 15
"""So long after its last sign of life a listener counts as gone, and nothing is told any more."""
LOOK_S = 2.0
"""How often is looked which workers are online, and a sign of life given."""
HELD = 10_000
"""Events that wait for a slow listener; later ones are dropped."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind` job: `id` came to `state`. `kind` worker: `id` is online or offline (`state`)."""

    at: datetime
    kind: str
    id: str
    state: str
    task: str = ""
    queue: str = ""
    worker: str = ""


async def events(connection: JobsRedis) -> AsyncGenerator[Event, None]:
    """Each change of a job's state, and workers that come and go, from now on and until the caller stops.

    The workers that are online already are told of as well. A Redis that is away is waited for; what happens meanwhile
    is not told, nor is what a listener is too slow for. QueueUnavailable where Redis does not let this user listen.
    """
    heard: asyncio.Queue[Event | Exception] = asyncio.Queue(HELD)

    def hear(_: bytes, message: bytes) -> None:
        for event in _read(message):
            with contextlib.suppress(asyncio.QueueFull):
                heard.put_nowait(event)

    channels = [connection.key.EVENTS]
    subscription = Subscription(connection.connection_pool, channels, hear=hear, look=lambda: None)
    subscription.start()
    watching = asyncio.create_task(_watch(connection, subscription, heard))
    try:
        while True:
            event = await heard.get()
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        await cancel_until_ended([watching])
        await subscription.close()


async def _watch(
    connection: JobsRedis, subscription: Subscription, heard: asyncio.Queue[Event | Exception]
) -> None:
    """Say that somebody listens, and tell of workers that have come or gone; an error is told of and ends it."""
    before: set[str] = set()
    while True:
        try:
            if subscription.denied:
                raise QueueUnavailable(f"Redis refuses us: {subscription.denied}")
            await connection.set(connection.key.LISTENING, 1, ex=LISTENS_S)
            there = {worker.name for worker in await online(connection)}
            at = await now(connection)
        except Exception as error:
            if not is_away(error) or denial(error) or subscription.denied:
                return await heard.put(error)
        else:
            for name in sorted(there ^ before):
                await heard.put(Event(at, "worker", name, "online" if name in there else "offline"))
            before = there
        await asyncio.sleep(LOOK_S)


def _read(message: bytes) -> list[Event]:
    told: Any = msgpack.unpackb(message)
    at = moment_of(told[0])
    return [
        Event(at, "job", job_id, state, task, queue, worker) for job_id, state, task, queue, worker in told[1]
    ]
