"""A browser that watches a live page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jobs import JobsRedis
from jobs.store.keys import Keys
from tests.app.visitor import Visitor

STREAM = {"Accept": "text/event-stream"}


@asynccontextmanager
async def watching(
    visitor: Visitor, path: str = "/monitor/queues", headers: dict[str, str] | None = None
) -> AsyncIterator[Any]:
    """A browser that watches this page, until the block ends."""
    cookie = "; ".join(f"{c.name}={c.value}" for c in visitor.client.cookie_jar or ())
    async with visitor.client.request(path, headers=STREAM | {"Cookie": cookie} | (headers or {})) as connection:
        await connection.send_complete()
        yield connection
        await connection.disconnect()


async def store_schedule(connection: JobsRedis, name: str = "stored") -> None:
    """One that a worker declared long ago: its page has forms."""
    about = {"task": "x", "when": "y", "queue": "default", "payload": b"", "expires": "", "id": "", "seen": "1"}
    await connection.hset(Keys.SCHEDULE + name, mapping=about)  # type: ignore[misc]
    await connection.sadd(Keys.SCHEDULES, name)  # type: ignore[misc]


async def read(connection: Any, until: str, timeout_s: float = 10) -> str:
    """What comes, up to these words."""
    text = ""
    async with asyncio.timeout(timeout_s):
        while until not in text:
            text += (await connection.receive()).decode()
    return text
