"""End asyncio tasks for certain, and waits after a time."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

CANCEL_AGAIN_S = 0.5

logger = logging.getLogger("arq.worker.jobs")


async def wait_at_most(seconds: float, what: Awaitable[object]) -> bool:
    """Await *what* for so long at most; it is cancelled then. Has it ended in time?"""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await what
            return True
    return False


def retrieve_exception(task: asyncio.Future[Any]) -> None:
    """Mark its exception as retrieved: asyncio logs one that nobody awaits any more."""
    if not task.cancelled():
        task.exception()


async def cancel_until_ended(tasks: Iterable[asyncio.Future[Any] | None]) -> None:
    """Cancel, and wait until all have ended; their errors are dropped. None: it was not started.

    For background tasks of a worker or a server: start them in `on_startup`, end them so in `on_shutdown`. To cancel
    once is not enough: a cancellation that meets a library's own time-out in the same moment is lost there (redis-py,
    asyncpg on Python 3.11), and a loop that was cancelled goes on for ever.
    """
    pending = set(filter(None, tasks))
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
        for task in ended:
            retrieve_exception(task)


class Background:
    """Background tasks. One that fails is logged."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        await cancel_until_ended(self.tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a part of the worker has failed", exc_info=error)
