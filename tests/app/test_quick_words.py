"""What people write into "When", and the moment that it is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reminders import quick_words
from app.times import NotATime

PARTS = ("in", "next", "fri", "9", "9:00", "am", "dec", "24", "2026", "may", "week", "h", ".", "a", "29 feb", "1000")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 1, 11, 30, 7, tzinfo=UTC)  # Tuesday, 12:30:07 in Berlin
READ = {
    "in 2h": "2026-12-01 14:31:00", "in 2 hours": "2026-12-01 14:31:00", "2h": "2026-12-01 14:31:00",
    "in an hour": "2026-12-01 13:31:00", "in 1h 30m": "2026-12-01 14:01:00",
    "in 1 hour and 5 min": "2026-12-01 13:36:00",
    "in two hours": "2026-12-01 14:31:00", "twelve days": "2026-12-13 12:31:00", "twoh": "", "in thirteen hours": "",
    "midnight": "2026-12-02 00:00:00", "fri midnight": "2026-12-04 00:00:00", "at midnight": "2026-12-02 00:00:00",
    "12/31 18:00": "2026-12-31 18:00:00", "31/12": "2026-12-31 09:00:00", "5/5": "2027-05-05 09:00:00",
    "12/24/2027 8am": "2027-12-24 08:00:00", "3/4": "", "3/4 18:00": "", "4/3/2027": "",
    "in 10s": "2026-12-01 12:30:17", "in 3 days": "2026-12-04 12:31:00", "in a week": "2026-12-08 12:31:00",
    "in 3 months": "2027-03-01 12:31:00", "2 weeks from now": "2026-12-15 12:31:00",
    "fri 9:00": "2026-12-04 09:00:00", "Friday": "2026-12-04 09:00:00", "on friday at 6pm": "2026-12-04 18:00:00",
    "9 fri": "2026-12-04 09:00:00", "thurs 8": "2026-12-03 08:00:00", "wednesday noon": "2026-12-02 12:00:00",
    "tue 13:00": "2026-12-01 13:00:00", "tue 12:00": "2026-12-08 12:00:00", "this sunday": "2026-12-06 09:00:00",
    "next fri": "2026-12-11 09:00:00", "next tue 8am": "2026-12-08 08:00:00", "next mon": "2026-12-07 09:00:00",
    "tomorrow": "2026-12-02 09:00:00", "tomorrow 8am": "2026-12-02 08:00:00", "8am tomorrow": "2026-12-02 08:00:00",
    "tomorrow evening": "2026-12-02 18:00:00", "tomorrow in the morning": "2026-12-02 09:00:00",
    "day after tomorrow": "2026-12-03 09:00:00", "today 18:00": "2026-12-01 18:00:00", "tonight": "2026-12-01 20:00:00",
    "next week": "2026-12-07 09:00:00", "next week 7:15": "2026-12-07 07:15:00", "next month": "2027-01-01 09:00:00",
    "13:00": "2026-12-01 13:00:00", "at 9": "2026-12-02 09:00:00", "12am": "2026-12-02 00:00:00",
    "12pm": "2026-12-02 12:00:00", "noon": "2026-12-02 12:00:00",
    "2026-12-24 18:00": "2026-12-24 18:00:00", "2026-12-24T18:00": "2026-12-24 18:00:00",
    "2026-12-24": "2026-12-24 09:00:00",
    "24 dec 18:00": "2026-12-24 18:00:00", "December 24th, 6pm": "2026-12-24 18:00:00", "24.12.": "2026-12-24 09:00:00",
    "24.12.2027 8:00": "2027-12-24 08:00:00", "12 dec 9": "2026-12-12 09:00:00", "9 dec 12": "2026-12-09 12:00:00",
    "1 dec": "2027-12-01 09:00:00", "the 24th of december": "2026-12-24 09:00:00", "29 feb": "2028-02-29 09:00:00",
    "24 dec 2028": "2028-12-24 09:00:00", "5:00 24 dec": "2026-12-24 05:00:00", "yesterday": "", "": "", "soon": "",
    "in 2": "", "25:00": "", "9:60": "", "13pm": "", "0am": "", "31 feb": "", "2026-13-01": "",
    "24 foo": "", "fri sat": "",
    "in 9999 months": "2860-03-01 12:31:00", "٩:٠٠": "", "13/13": "", "12/32": "", "0/5": "",
    "x" * 5_000: "", "in -2h": "", "fri\x00": "",
}  # fmt: skip


@pytest.mark.parametrize("typed", READ)
def test_words_are_read_as_people_mean_them(typed: str) -> None:
    if READ[typed]:
        assert str(quick_words.read(typed, BERLIN, NOW)) == READ[typed]
    else:
        with pytest.raises(NotATime):
            quick_words.read(typed, BERLIN, NOW)


def test_a_date_that_is_two_days_is_refused_with_both() -> None:
    with pytest.raises(NotATime, match='3/4 is two days: write "3 apr" or "4 mar"'):
        quick_words.read("at 18:00 3/4", BERLIN, NOW)


def test_hours_are_real_time_and_days_keep_the_wall_time() -> None:
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)  # 01:30, and at 03:00 it is 02:00 again

    assert str(quick_words.read("in 2h", BERLIN, before)) == "2026-10-25 02:30:00"
    assert str(quick_words.read("in 1 day", BERLIN, before)) == "2026-10-26 01:30:00"


@given(st.text(max_size=40) | st.lists(st.sampled_from(PARTS)).map(" ".join))
def test_anything_else_is_refused_and_no_fault(typed: str) -> None:
    with suppress(NotATime):
        assert quick_words.read(typed, BERLIN, NOW).tzinfo is None
