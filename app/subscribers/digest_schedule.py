"""The schedule of the weekly digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.context import site
from jobs import crontab
from jobs.monitor_site.web import moments

SATURDAY = 6


def weekly(task: Any, zone: str | ZoneInfo) -> crontab:
    """The digest's schedule: every Saturday at 10:00 in *zone*. A missed run is caught up within six days."""
    return crontab(
        task, name="weekly-digest", minute=0, hour=10, day_of_week=SATURDAY, timezone=zone, window=timedelta(days=6)
    )


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """The first moment of the schedule after *now*."""
    return weekly("digest.weekly", zone).next_after(now)


def next_digest_spelled() -> str:
    """The day, time and zone of the next digest, for pages and mails. Always in the site's time zone."""
    zone = ZoneInfo(site().timezone)
    return moments.spelled(next_digest(datetime.now(UTC), zone), zone)
