"""The time by Redis' clock, the only one that counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs import keys

if TYPE_CHECKING:
    from jobs.connection import JobsRedis


async def now_ms(connection: JobsRedis) -> int:
    """Now, as scripts see it."""
    seconds, microseconds = await connection.time()
    return int(seconds * 1000 + microseconds // 1000 + int(await connection.get(keys.CLOCK) or 0))


def moment(ms: bytes | str | float | None) -> datetime | None:
    """A time as Redis has it; None for none."""
    return moment_of(float(ms)) if ms else None


def moment_of(ms: float) -> datetime:
    """A time in ms. A score may be any number; one that is no time must not hide those beside it: it is the last."""
    return datetime.fromtimestamp(min(max(ms, 0), _LAST_MS) / 1000, UTC)


_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999."""
