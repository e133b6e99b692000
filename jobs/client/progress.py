"""Listens to what a job publishes, until it ends."""

import asyncio
from collections.abc import AsyncIterator

from ..store.store import Store
from ..store.subscription import Subscription
from ..tasks.current import without_slot


async def heard(connection: Store, channel: str, job_id: str) -> AsyncIterator[list[bytes] | None]:
    """The messages on *channel*, as they come; None when some may have been missed: at the beginning, after a lost
    connection, after a silence, and at last when the job has ended. Inside a job its slot is free while it waits."""
    said: list[bytes] | None = []
    news = asyncio.Event()

    def hear(_: bytes, message: bytes) -> None:
        if said is not None:
            said.append(message)
        news.set()

    def look(*_: object) -> None:
        nonlocal said
        said = None
        news.set()

    subscription = Subscription(connection.connection_pool, [channel], hear=hear, look=look)
    ended = asyncio.ensure_future(connection.notifications.wait_until_ended(job_id))
    ended.add_done_callback(look)
    subscription.start()
    try:
        over = False
        while not over:
            await without_slot(news.wait())
            news.clear()
            if over := ended.done():
                await ended  # Redis may have refused us
            latest, said = said, []
            yield None if over else latest
    finally:
        ended.cancel()
        await subscription.close()
