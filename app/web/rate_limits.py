"""Rate limits, counted in Redis for all web processes together."""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass

from quart import current_app
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError

from jobs import RedisURL

# Each key holds the moment (ms) at which its allowance is full again. Each use moves it one step further.
# Takes from every limit or from none. Returns the milliseconds to wait; 0 means taken.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait, full = 0, {}
for i, key in ipairs(KEYS) do
    local times, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    full[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + period / times
    wait = math.max(wait, full[i] - now - period)
end
if wait > 0 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', full[i]), 'PXAT', string.format('%.0f', full[i]))
end
return 0
"""

ANSWER_S = 1.0


class RateLimitsUnavailable(Exception):
    """Redis does not answer, so the limit is unknown."""


@dataclass(frozen=True)
class Limit:
    """`times` uses at once, then one more every `period_s / times` seconds, for each `subject` of this `name`."""

    name: str
    subject: str
    times: int
    period_s: float

    def key(self, secret_key: str) -> str:
        """The key in Redis. Nobody without the secret key can find the subject, such as an address, by trial."""
        digest = hmac.digest(secret_key.encode(), f"limit {self.subject}".encode(), "sha256")
        return f"app:limit:{self.name}:{digest.hex()[:32]}"


class RateLimits:
    """The counters. Connects at the first use. Gives up on an unresponsive Redis within seconds."""

    def __init__(self, redis_url: str, secret_key: str) -> None:
        self._secret_key = secret_key
        pool = RedisURL.read(redis_url).pool(
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            # One retry, for a connection that Redis has closed.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        )
        self._redis = Redis.from_pool(pool)
        self._take = self._redis.register_script(TAKE)

    async def take(self, *limits: Limit) -> int:
        """Count one use against every limit, and return 0.

        If any limit is exceeded, count nothing, and return the seconds to wait.
        """
        try:
            wait_ms: int = await self._take(
                keys=[limit.key(self._secret_key) for limit in limits],
                args=[n for limit in limits for n in (limit.times, limit.period_s * 1000)],
            )
        except (RedisError, OSError) as error:
            raise RateLimitsUnavailable(str(error)) from error
        return math.ceil(wait_ms / 1000)

    async def take_if_there(self, *limits: Limit) -> int:
        """As take(), but nothing is counted while Redis is away: for what mails nobody and needs SQL only."""
        try:
            return await self.take(*limits)
        except RateLimitsUnavailable:
            return 0

    async def close(self) -> None:
        await self._redis.aclose()


def current_rate_limits() -> RateLimits:
    """Those of the running app. Needs an app context."""
    found: RateLimits = current_app.extensions["rate_limits"]
    return found
