"""The day and time of the next digest, on the clocks of the site."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.subscribers.digest_schedule import next_digest


@pytest.mark.parametrize(
    ("zone", "now", "at"),
    [
        ("UTC", "2026-11-26T12:00", "2026-11-28T10:00"),
        ("UTC", "2026-11-28T09:59", "2026-11-28T10:00"),
        ("UTC", "2026-11-28T10:00", "2026-12-05T10:00"),
        ("Europe/Berlin", "2026-11-28T08:59", "2026-11-28T09:00"),
        ("Europe/Berlin", "2026-11-28T09:00", "2026-12-05T09:00"),
        ("Europe/Berlin", "2027-03-26T12:00", "2027-03-27T09:00"),  # the last one in winter time
        ("Europe/Berlin", "2027-03-27T12:00", "2027-04-03T08:00"),
        ("Asia/Shanghai", "2026-11-28T01:30", "2026-11-28T02:00"),
        ("Pacific/Auckland", "2026-11-27T20:30", "2026-11-27T21:00"),  # there it is Saturday already
        ("America/Los_Angeles", "2026-11-29T02:00", "2026-12-05T18:00"),  # and there it still is
    ],
)
def test_the_next_digest_is_on_saturday_at_ten(zone: str, now: str, at: str) -> None:
    found = next_digest(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))

    assert found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") == at
    assert found.astimezone(ZoneInfo(zone)).strftime("%A %H:%M") == "Saturday 10:00"
