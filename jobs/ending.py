"""End asyncio tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.5


async def cancel_until_ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel, and wait until all have ended; their errors are dropped.

    For what goes on beside a worker or a server: start it in `on_startup`, end it so in `on_shutdown`. To cancel once
    is not enough: a cancellation that meets a library's own time-out in the same moment is lost there (redis-py and
    asyncpg on Python 3.11), and a loop that was told to end goes on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=AGAIN_S)
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at: asyncio need not complain of it
