"""What people type and mean: zones, clock changes, limits, and how it is said back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import times
from jobs.monitor_site.web import moments

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "typed", ["2026-07-01T10:30", "2026-07-01 10:30", " 2026-07-01T10:30:00 ", "2026-07-01T10:30:00.000"]
)
def test_a_time_is_read_in_the_zone_of_the_account(typed: str) -> None:
    assert times.read(typed, BERLIN, NOW) == times.Moment(datetime(2026, 7, 1, 8, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "no-time"),
        ("tomorrow", "no-time"),
        ("2026-07-01", "no-time"),
        ("2026-07-01T10:30Z", "no-time"),
        ("2026-07-01T10:30+02:00", "no-time"),
        ("٢٠٢٦-٠٧-٠١T١٠:٣٠", "no-time"),
        ("2026-07-01T10:30\n", ""),
        ("2026-02-30T10:30", "no-such-time"),
        ("2026-13-01T10:30", "no-such-time"),
        ("2026-07-01T24:00", "no-such-time"),
        ("0000-01-01T00:00", "no-such-time"),
        ("0001-01-01T00:00", "no-such-time"),
        ("9999-12-31T23:59", "too-far"),
        ("2036-03-01T13:01", "too-far"),
        ("2026-03-01T13:00", "past"),
        ("2020-01-01T00:00", "past"),
        ("2026-03-29T02:30", "clocks-forward"),
    ],
)
def test_what_is_no_time_is_refused_with_a_sentence(typed: str, code: str) -> None:
    if typed.endswith("\n"):  # surrounding space is nothing
        assert times.read(typed, BERLIN, NOW)
        return
    with pytest.raises(times.NotATime) as caught:
        times.read(typed, BERLIN, NOW)

    assert caught.value.message.code == code
    assert str(caught.value).endswith(".")


def test_the_gap_names_the_first_time_after_it() -> None:
    with pytest.raises(times.NotATime, match="03:30"):
        times.read("2026-03-29T02:30", BERLIN, NOW)


def test_of_two_equal_times_the_first_is_taken_and_said() -> None:
    moment = times.read("2026-10-25T02:30", BERLIN, NOW)

    assert moment.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moment.note is not None
    assert moment.note.code == "clocks-back"
    assert not times.read("2026-10-25T03:30", BERLIN, NOW).note


def test_ten_years_ahead_is_possible() -> None:
    assert times.read("2036-03-01T13:00", BERLIN, NOW).at == datetime(2036, 3, 1, 12, tzinfo=UTC)
    leap_day = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert times.read("2038-02-28T12:00", ZoneInfo("UTC"), leap_day)


def test_tomorrow_is_the_day_after_today_there() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # 2 March, 00:30 in Berlin

    assert times.morning(BERLIN, late, days=1) == datetime(2026, 3, 3, 8, tzinfo=UTC)
    assert times.morning(ZoneInfo("UTC"), late, days=1) == datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (0, "now"), (1, "in 1 second"), (59, "in 59 seconds"), (60, "in 1 minute"), (600, "in 10 minutes"),
        (3_599, "in 59 minutes"), (3_600, "in 1 hour"), (90, "in 1 minute 30 seconds"), (5_400, "in 1 hour 30 minutes"),
        (10_799, "in 2 hours 59 minutes"), (10_800, "in 3 hours"), (5_453, "in 1 hour 30 minutes"),
        (86_400 * 2 + 20 * 3_600, "in 2 days 20 hours"), (-5_400, "1 hour 30 minutes ago"),
        (86_400, "in 24 hours"), (86_400 * 33, "in 33 days"), (86_400 * 365, "in 12 months"),
        (86_400 * 3_652, "in 10 years"), (-5, "5 seconds ago"), (-7_200, "2 hours ago"),
    ],
)  # fmt: skip
def test_distances_are_said_in_words(left: int, said: str) -> None:
    assert moments.distance(NOW + timedelta(seconds=left), NOW) == said


def test_a_moment_is_spelled_with_day_time_and_zone() -> None:
    at = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)

    assert moments.spelled(at, BERLIN) == "Tuesday, 1 December 2026, 10:30 (Europe/Berlin)"
    assert moments.spelled(at + timedelta(seconds=7), BERLIN).endswith("10:30:07 (Europe/Berlin)")


@given(
    st.datetimes(min_value=datetime(2026, 3, 2), max_value=datetime(2036, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_what_stands_in_the_field_means_the_same_moment(at: datetime, zone: str) -> None:
    at = at.replace(microsecond=0)
    moment = times.read(moments.for_field(at, ZoneInfo(zone)), ZoneInfo(zone), NOW)

    assert moment.at == at or moment.note  # the second of two equal times is shown like the first


def test_a_day_is_the_reader_s() -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)

    assert moments.day(late, BERLIN) == "1 December 2026"
    assert moments.day(late, ZoneInfo("UTC")) == "30 November 2026"


def test_the_ends_of_the_calendar_are_spelled_too() -> None:
    """Where a zone would be in the year 10000, or 0."""
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)

    assert moments.spelled(last, ZoneInfo("Asia/Tokyo")) == "Friday, 31 December 9999, 23:59 (UTC)"
    assert moments.spelled(last, ZoneInfo("America/Lima")) == "Friday, 31 December 9999, 18:59 (America/Lima)"
    assert moments.day(datetime(1, 1, 1, tzinfo=UTC), ZoneInfo("America/Lima")).endswith("1 January 1")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (720, "12 minutes"),
        (3600, "60 minutes"), (7200, "120 minutes"), (7201, "3 hours"), (86_400, "24 hours"),
    ],
)  # fmt: skip
def test_a_wait_is_rounded_up_in_one_unit(seconds: int, expected: str) -> None:
    assert times.wait(seconds) == expected
