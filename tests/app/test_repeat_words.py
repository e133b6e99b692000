"""What people write into "When" of a reminder that repeats."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reminders import repeat_words
from app.times import NotATime

PARTS = ("every", "day", "monday", "mondays", "weekdays", "month", "31st", "9:00", "weekly", "on", "the", "0", "99th")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 4, 11, 30, 7, tzinfo=UTC)  # Friday, 12:30:07 in Berlin
READ = {
    "every day": "daily 2026-12-05 09:00", "every day 18:00": "daily 2026-12-04 18:00",
    "8am daily": "daily 2026-12-05 08:00",
    "Every Monday, 9:00": "weekly 2026-12-07 09:00", "every mon 9": "weekly 2026-12-07 09:00",
    "mondays 8am": "weekly 2026-12-07 08:00", "on tuesdays": "weekly 2026-12-08 09:00",
    "9:00 every monday": "weekly 2026-12-07 09:00", "every week on sunday 7:00": "weekly 2026-12-06 07:00",
    "weekly fri 18:00": "weekly 2026-12-04 18:00", "each friday noon": "weekly 2026-12-11 12:00",
    "every weekday": "weekdays 2026-12-07 09:00", "weekdays 18:00": "weekdays 2026-12-04 18:00",
    "on weekdays at 8": "weekdays 2026-12-07 08:00", "every month": "monthly 2026-12-05 09:00",
    "every 31st 18:00": "monthly 2026-12-31 18:00", "monthly on the 1st 9:00": "monthly 2027-01-01 09:00",
    "on the 4th of every month 9:00": "monthly 2027-01-04 09:00", "24 dec monthly": "monthly 2026-12-24 09:00",
    "fri 9:00": "never 2026-12-11 09:00", "in 2 days": "never 2026-12-06 12:31", "everyday": "",
    "every 2 weeks": "", "every other day": "", "every": "", "every 99th": "", "every 0th": "", "every day soon": "",
    "every day every week": "",
}  # fmt: skip


@pytest.mark.parametrize("typed", READ)
def test_repetitions_are_read_as_people_mean_them(typed: str) -> None:
    if READ[typed]:
        repeat, first = repeat_words.read(typed, BERLIN, NOW)
        assert f"{repeat} {first:%Y-%m-%d %H:%M}" == READ[typed]
    else:
        with pytest.raises(NotATime):
            repeat_words.read(typed, BERLIN, NOW)


@given(st.lists(st.sampled_from(PARTS)).map(" ".join))
def test_anything_else_is_refused_and_no_fault(typed: str) -> None:
    with suppress(NotATime):
        assert repeat_words.read(typed, BERLIN, NOW)[1].tzinfo is None
