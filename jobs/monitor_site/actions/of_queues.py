"""Pause, resume and purge a queue."""

from __future__ import annotations

import time
from contextlib import aclosing

from .. import model
from ..acting import Action, Outcome
from ..options import redis
from ..web.messages import Message

PURGE_S = 5
"""How long one request may purge. A longer one would exceed the browser's time-out."""
PAUSED = Message("paused", "Paused. Its jobs do not start.")
WAS_PAUSED = Message("paused-already", "The queue was already paused.")
RESUMED = Message("resumed", "Resumed. Its jobs start again.")
WAS_NOT_PAUSED = Message("not-paused", "The queue was not paused.")


def pause(name: str) -> Action:
    async def do() -> Message:
        return PAUSED if await model.pause(redis(), name) else WAS_PAUSED

    return Action("pause queue", name, do)


def resume(name: str) -> Action:
    async def do() -> Message:
        return RESUMED if await model.resume(redis(), name) else WAS_NOT_PAUSED

    return Action("resume queue", name, do)


def purge(name: str, too: bool, before: int = 0) -> Action:
    """Revoke the waiting jobs, scheduled ones *too*, for PURGE_S. Running jobs continue. *before*: what earlier
    requests have purged of it."""

    async def do() -> Message:
        now, goes_on = await _purge(name, too)
        total = f", {before + now:,} in total" if before else ""
        left = " More remain." if goes_on else await _what_stays(name)
        text = f"{now:,} job{'' if now == 1 else 's'} purged{total}.{left}"
        return Outcome("purged", text, jobs=now, more=goes_on)

    return Action("purge queue, scheduled jobs too" if too else "purge queue", name, do)


async def _purge(name: str, too: bool) -> tuple[int, bool]:
    """Purge for PURGE_S. Returns how many jobs it has ended, and whether more remain."""
    ended, until = 0, time.monotonic() + PURGE_S
    async with aclosing(model.purge_queue(redis(), name, too)) as steps:
        async for n in steps:
            ended += n
            if n and time.monotonic() > until:
                return ended, True
    return ended, False


async def _what_stays(name: str) -> str:
    [queue] = await model.queues_named(redis(), [name])
    stays = queue.due + queue.scheduled
    return f" {stays:,} remain{'s' if stays == 1 else ''} in the queue." if stays else ""
