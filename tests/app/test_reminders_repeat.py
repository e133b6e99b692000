"""The times of repeating reminders, over clock changes and the ends of months."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reminders.repeat import Repeat, following, spelled

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "UTC")
RULES = [repeat for repeat in Repeat if repeat != Repeat.NEVER]


def times(repeat: Repeat, start: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    found = [start.astimezone(UTC)]
    while len(found) < count:
        found.append(following(repeat, start, zone, found[-1]))
    return found


CHANGES = {
    # forward, with a wall time that is skipped; back, with one that occurs twice; and the hour of each in UTC
    "Europe/Berlin": (datetime(2027, 3, 28, 2, 30), "03:30", datetime(2027, 10, 31, 2, 30), "+02:00"),
    "America/New_York": (datetime(2027, 3, 14, 2, 30), "03:30", datetime(2027, 11, 7, 1, 30), "-04:00"),
    "Australia/Lord_Howe": (datetime(2027, 10, 3, 2, 15), "02:45", datetime(2027, 4, 4, 1, 45), "+11:00"),
}


@pytest.mark.parametrize("key", CHANGES)
def test_the_wall_time_is_kept_over_both_clock_changes(key: str) -> None:
    zone = ZoneInfo(key)
    forward, moved, back, offset = CHANGES[key]
    for change in (forward, back):
        start = (change - timedelta(days=3)).replace(tzinfo=zone)
        here = [at.astimezone(zone) for at in times(Repeat.DAILY, start, zone, 7)]
        assert [at.date() - start.date() for at in here] == [timedelta(days=n) for n in range(7)]
        expected = [f"{change:%H:%M}"] * 7
        if change == forward:
            expected[3] = moved
        assert [f"{at:%H:%M}" for at in here] == expected
        assert here[3].fold == 0
        if change == back:
            assert here[3].isoformat().endswith(offset), "the first of the two"


@given(
    st.sampled_from(RULES),
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2034, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
)
def test_every_time_is_on_its_day_at_its_wall_time_and_none_is_left_out(
    repeat: Repeat, start: datetime, key: str
) -> None:
    zone = ZoneInfo(key)
    start = start.replace(microsecond=0)
    first = start.astimezone(zone)
    found = times(repeat, start, zone, 40)

    assert found == sorted(set(found))
    for before, at in pairwise(found):
        here = at.astimezone(zone)
        wall = datetime.combine(here.date(), first.time().replace(fold=0))
        exists = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
        assert (here.time() == first.time()) == exists
        days = (here.date() - before.astimezone(zone).date()).days
        match repeat:
            case Repeat.DAILY:
                assert days == 1
            case Repeat.WEEKDAYS:
                assert here.weekday() < 5
                assert days in (1, 2, 3)
            case Repeat.WEEKLY:
                assert (here.weekday(), days) == (first.weekday(), 7)
            case Repeat.MONTHLY:
                assert here.day == min(first.day, monthrange(here.year, here.month)[1])
                assert 28 <= days <= 31


def test_the_31st_is_the_last_day_of_a_shorter_month_and_the_31st_afterwards() -> None:
    start = datetime(2027, 12, 31, 9, tzinfo=UTC)

    found = times(Repeat.MONTHLY, start, ZoneInfo("UTC"), 6)

    assert [f"{at:%d.%m.}" for at in found] == ["31.12.", "31.01.", "29.02.", "31.03.", "30.04.", "31.05."]


@given(st.sampled_from(RULES), st.integers(1, 2_000), st.sampled_from(ZONES))
def test_after_an_outage_the_next_one_is_in_the_future(repeat: Repeat, days: int, key: str) -> None:
    start = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
    now = start + timedelta(days=days, hours=3)

    at = following(repeat, start, ZoneInfo(key), now)

    assert now < at <= now + timedelta(days=32)


@pytest.mark.parametrize(
    ("repeat", "start", "rule"),
    [
        (Repeat.DAILY, datetime(2027, 1, 1, 9), "every day at 09:00 (UTC)"),
        (Repeat.WEEKDAYS, datetime(2027, 1, 1, 9, 0, 7), "every weekday at 09:00:07 (UTC)"),
        (Repeat.WEEKLY, datetime(2027, 1, 1, 18, 30), "every Friday at 18:30 (UTC)"),
        (Repeat.MONTHLY, datetime(2027, 1, 22, 9), "on the 22nd of every month at 09:00 (UTC)"),
        (Repeat.MONTHLY, datetime(2027, 1, 11, 9), "on the 11th of every month at 09:00 (UTC)"),
        (
            Repeat.MONTHLY,
            datetime(2027, 1, 31, 9),
            "on the 31st of every month, the last day of shorter months, at 09:00 (UTC)",
        ),
    ],
)
def test_a_rule_is_spelled(repeat: Repeat, start: datetime, rule: str) -> None:
    assert spelled(repeat, start.replace(tzinfo=UTC), ZoneInfo("UTC")) == rule
