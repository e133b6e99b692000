"""Hears the events of a Redis: what `monitor.events()` is made of, imported when somebody listens."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import msgpack

from ..client.connection import JobsRedis
from ..errors import QueueUnavailable
from ..monitor_site.model.event_stream import Event
from ..monitor_site.model.worker_list import online
from ..store.cancellation import cancel_until_ended
from ..store.outage import denial, is_away
from ..store.store import now
from ..store.stored_values import moment_of
from ..store.subscription import Subscription

LISTENS_S = 15  # A listener that has not renewed its flag for this long counts as gone: scripts publish nothing more.
WATCH_INTERVAL_S = 2.0  # How often to check which workers are online, and to renew the flag that somebody listens.
MAX_QUEUED = 10_000  # Events that wait for a slow listener; later ones are dropped.


async def heard_on(connection: JobsRedis) -> AsyncGenerator[Event, None]:
    """Events from now on, and workers that are online already; see `monitor.events`."""
    heard: asyncio.Queue[Event | Exception] = asyncio.Queue(MAX_QUEUED)

    def hear(_: bytes, message: bytes) -> None:
        ms, changes = msgpack.unpackb(message)
        for job_id, state, task, queue, worker in changes:
            with contextlib.suppress(asyncio.QueueFull):
                heard.put_nowait(Event(moment_of(ms), "job", job_id, state, task, queue, worker))

    subscription = Subscription(connection.connection_pool, [connection.key.EVENTS], hear=hear, look=lambda: None)
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


async def _watch(connection: JobsRedis, subscription: Subscription, heard: asyncio.Queue[Event | Exception]) -> None:
    """Renew the flag that somebody listens, and report workers that come and go; an error is reported, and ends it."""
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
        await asyncio.sleep(WATCH_INTERVAL_S)
