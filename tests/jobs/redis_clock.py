"""Sets the clock that every script and worker of a test reads."""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from jobs.store.keys import Keys


async def set_clock(redis: Redis, moment: datetime) -> None:
    """For every script and worker it is now *moment*, and time goes on from there."""
    seconds, microseconds = await redis.time()
    await redis.set(Keys.CLOCK, round(moment.timestamp() * 1000) - seconds * 1000 - microseconds // 1000)
