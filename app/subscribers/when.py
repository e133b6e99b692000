"""When the weekly digest is sent."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from jobs import crontab


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """The first Saturday, 10:00 on the clocks of *zone*, that comes after *now*."""
    return crontab("digest", minute=0, hour=10, day_of_week=6, timezone=zone).next_after(now)
