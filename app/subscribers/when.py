"""When the weekly digest is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app import times
from app.context import site
from jobs import crontab


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """The first Saturday, 10:00 on the clocks of *zone*, that comes after *now*."""
    return crontab("digest", minute=0, hour=10, day_of_week=6, timezone=zone).next_after(now)


def next_digest_spelled() -> str:
    """The next one's day, time and zone, for pages and mails: on the clocks of the site, whoever reads it."""
    zone = ZoneInfo(site().timezone)
    return times.spelled(next_digest(datetime.now(UTC), zone), zone)
