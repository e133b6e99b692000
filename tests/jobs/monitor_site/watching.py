"""A browser that watches a live page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

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


async def read(connection: Any, until: str, timeout_s: float = 10) -> str:
    """What comes, up to these words."""
    text = ""
    async with asyncio.timeout(timeout_s):
        while until not in text:
            text += (await connection.receive()).decode()
    return text
