"""Use up limits on mail."""

from __future__ import annotations

import time

from quart import Quart
from redis.asyncio import Redis

from app.mail_limits import ACTIONS, DAY, HOUR
from app.web.rate_limits import Limit


async def fill(app: Quart, redis: Redis, name: str, whose: str, index: int, account: int) -> None:
    """Use up this one limit, for an hour from now."""
    times, period_s = getattr(ACTIONS[name], f"by_{whose}")[index]
    subjects = {"account": str(account), "recipient": "new@example.org", "client": "local", "site": "all"}
    limit = Limit(f"{name}-{whose}-{period_s}", subjects[whose], times=times, period_s=period_s)
    key = limit.key(app.extensions["settings"].secret_key)
    await redis.set(key, int((time.time() + period_s + HOUR) * 1000), ex=2 * DAY)
