"""Check the parts that the site needs: Redis, the database, workers, and that no job waits too long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quart import current_app
from sqlalchemy import text

from app import database
from app.context import redis, site
from jobs import monitor

PATIENCE_S = 2
LONGEST_DUE_S = 600
"""A job that has been due for longer shows that the workers do not keep up."""
FRESH_S = 1  # the page is public, so its clients share one check a second

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of the site. `fault` is empty, or a few words on what is wrong. It is public."""

    name: str
    fault: str = ""


async def check() -> list[Part]:
    """All parts, checked now or within the last second. Needs an app context."""
    latest: _SharedCheck = current_app.extensions.setdefault("readiness", _SharedCheck())
    return await latest.parts()


async def redis_part() -> str:
    await redis().ping()
    return ""


async def database_part() -> str:
    async with database.session() as db:
        await db.execute(text("SELECT 1"))
    return ""


async def workers_part() -> str:
    """The fault if a queue of the site has no worker that is online and takes new jobs."""
    served = {queue for worker in await monitor.workers(redis()) if not worker.quiet for queue in worker.queues}
    unserved = [queue for queue in site().queues if queue not in served]
    return f"none that is online serves {', '.join(unserved)}" if unserved else ""


async def jobs_part() -> str:
    """The fault if a job has been due for too long. Paused queues do not count."""
    queues = await monitor.queues_named(redis(), site().queues)
    oldest = max((queue.oldest_due_s for queue in queues if not queue.paused), default=0)
    return f"the oldest due one waits since {oldest:.0f} s" if oldest > LONGEST_DUE_S else ""


PARTS: dict[str, Callable[[], Awaitable[str]]] = {
    "redis": redis_part,
    "database": database_part,
    "workers": workers_part,
    "jobs": jobs_part,
}


@dataclass
class _SharedCheck:
    """The check that concurrent requests share."""

    began: float = 0
    task: asyncio.Task[list[Part]] | None = None
    faulty: set[str] = field(default_factory=set)
    cut_off: set[asyncio.Task[str]] = field(default_factory=set)

    async def parts(self) -> list[Part]:
        if self.task is None or (self.task.done() and time.monotonic() > self.began + FRESH_S):
            self.began = time.monotonic()
            self.task = asyncio.create_task(self._all())
        return await asyncio.shield(self.task)

    async def _all(self) -> list[Part]:
        checks = {name: asyncio.create_task(_check(name, check)) for name, check in PARTS.items()}
        _, late = await asyncio.wait(checks.values(), timeout=PATIENCE_S)
        for task in late:  # cancelled without waiting, because closing its connection may hang
            task.cancel()
            self.cut_off.add(task)
            task.add_done_callback(self.cut_off.discard)
        found = [
            Part(name, f"no answer within {PATIENCE_S} s" if task in late else task.result())
            for name, task in checks.items()
        ]
        self._log_changes(found)
        return found

    def _log_changes(self, found: list[Part]) -> None:
        """Log once per change, because probes ask every second."""
        for part in found:
            if part.name not in self.faulty and part.fault:
                logger.warning("not ready: %s: %s", part.name, part.fault)
            elif part.name in self.faulty and not part.fault:
                logger.warning("ready again: %s", part.name)
        self.faulty = {part.name for part in found if part.fault}


async def _check(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await check()
    except Exception as error:
        logger.debug("%s: %s", name, error)
        return "does not answer"
