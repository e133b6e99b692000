"""The time by Redis' clock, the only one that counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs import keys
from jobs.stored import whole

if TYPE_CHECKING:
    from jobs.connection import JobsRedis


async def now_ms(connection: JobsRedis) -> int:
    """Now, as scripts see it."""
    seconds, microseconds = await connection.time()
    return int(seconds * 1000 + microseconds // 1000 + whole(await connection.get(keys.CLOCK)))


def moment(ms: bytes | str | float | None) -> datetime | None:
    """A time as Redis has it; None for none."""
    return moment_of(ms) if ms else None


def moment_of(ms: bytes | str | float) -> datetime:
    """A time in ms. A score may be any number: see `whole_ms`."""
    return datetime.fromtimestamp(whole_ms(ms) / 1000, UTC)


def whole_ms(ms: bytes | str | float | None) -> int:
    """A time as Redis has it, in ms; 0 for none. One that is no time must not hide those beside it: it is the first or
    the last that there is.
    """
    try:
        number = float(ms or 0)
    except ValueError:
        return 0
    return keys.LAST_MS if number != number else int(min(max(number, 0), keys.LAST_MS))
