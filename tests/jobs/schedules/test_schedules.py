"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from arq.cron import CronJob
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobs import task
from jobs.errors import SettingsMistake
from jobs.schedules import cron
from jobs.schedules.schedule import Schedule, crontab, every, latest_of


@task(name="tests.schedules.digest")
async def digest(part: int = 0) -> int:
    return part


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def due(schedule: Schedule, after: str, count: int) -> list[str]:
    """The next moments, as the clock of the schedule's zone shows them, with its offset."""
    moment, found = datetime.fromisoformat(after), []
    for _ in range(count):
        moment = schedule.next_after(moment)
        found.append(f"{moment.astimezone(getattr(schedule, 'timezone', None) or UTC):%Y-%m-%d %H:%M%z}")
    return found


# What is due when


def test_the_digest_goes_out_on_saturdays_at_ten():
    schedule = crontab(digest, minute=0, hour=10, day_of_week=6, timezone=BERLIN)

    assert due(schedule, "2026-01-01T00:00Z", 2) == ["2026-01-03 10:00+0100", "2026-01-10 10:00+0100"]


def test_a_field_that_is_not_given_allows_every_value():
    """Celery's trap: without `minute=0` it is due sixty times between ten and eleven."""
    schedule = crontab(digest, hour=10, day_of_week=6)

    assert due(schedule, "2026-01-03T10:58Z", 3) == [
        "2026-01-03 10:59+0000",
        "2026-01-10 10:00+0000",
        "2026-01-10 10:01+0000",
    ]


def test_day_of_month_and_day_of_week_must_both_match():
    friday_the_13th = crontab(digest, minute=0, hour=0, day_of_month=13, day_of_week="fri")

    assert due(friday_the_13th, "2026-01-01T00:00Z", 4) == [
        "2026-02-13 00:00+0000",
        "2026-03-13 00:00+0000",
        "2026-11-13 00:00+0000",
        "2027-08-13 00:00+0000",
    ]


def test_the_29th_of_february_is_waited_for():
    assert due(crontab(digest, minute=0, hour=0, day_of_month=29, month_of_year=2), "2096-03-01T00:00Z", 1) == [
        "2104-02-29 00:00+0000"
    ]


def test_every_counts_from_the_epoch():
    schedule = every(digest, timedelta(seconds=30))

    assert schedule.next_after(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    assert schedule.next_after(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_the_latest_missed_moment_is_found():
    hourly, half_minutes = crontab(digest, minute=0), every(digest, timedelta(seconds=30))
    after, until = datetime(2026, 1, 1, 10, tzinfo=UTC), datetime(2026, 1, 1, 13, 30, 10, tzinfo=UTC)

    assert latest_of(hourly, after, until) == datetime(2026, 1, 1, 13, tzinfo=UTC)
    assert latest_of(half_minutes, after, until) == datetime(2026, 1, 1, 13, 30, tzinfo=UTC)
    assert latest_of(hourly, after, after + timedelta(minutes=59)) is None
    assert latest_of(half_minutes, after, after + timedelta(seconds=29)) is None


def test_the_latest_moment_of_the_workers_zone_is_found_however_long_ago():
    berlin = ZoneInfo(BERLIN)
    until = datetime(2026, 7, 1, 9, 30, tzinfo=berlin)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)

    assert latest_of(crontab(digest, minute=0, hour=10), long_ago, until) == datetime(2026, 6, 30, 8, tzinfo=UTC)
    assert latest_of(crontab(digest), long_ago, until) == until
    assert latest_of(crontab(digest, minute=0, hour=10, day_of_month=29, month_of_year=2), long_ago, until) == datetime(
        2024, 2, 29, 9, tzinfo=UTC
    )
    assert latest_of(crontab(digest, minute=0, hour=10), until - timedelta(hours=23), until) is None


# How fields are written


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (5, [5]),
        ("5", [5]),
        ([5, 10, 15, 20], [5, 10, 15, 20]),
        (range(3), [0, 1, 2]),
        (["1-3", 7], [1, 2, 3, 7]),
        ("*", range(24)),
        ("*/6", [0, 6, 12, 18]),
        ("*/2, 1", [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        ("*/2,1", [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        ("9-17", range(9, 18)),
        ("9 - 17 / 4", [9, 13, 17]),
        ("22-2", [0, 1, 2, 22, 23]),
        ("20-4/3", [2, 20, 23]),
    ],
)
def test_an_hour_as_in_celery(field, values):
    assert cron.moments(hour=field).hour == tuple(values)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (0, [0]),
        (7, [0]),
        (6, [6]),
        ("sunday", [0]),
        ("Sat", [6]),
        ("mon-fri", [1, 2, 3, 4, 5]),
        ("5-7", [0, 5, 6]),
        ("fri-mon", [0, 1, 5, 6]),
        ("mon,wed", [1, 3]),
        ("*", range(7)),
        ("*/2", [0, 2, 4, 6]),
    ],
)
def test_a_day_of_the_week_counts_from_sunday(field, values):
    assert cron.moments(day_of_week=field).day_of_week == tuple(values)


def test_months_have_names_and_both_days_count_from_one():
    read = cron.moments(month_of_year="nov-feb/2", day_of_month="*/10")

    assert read.month_of_year == (1, 11)
    assert read.day_of_month == (1, 11, 21, 31)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"minute": 60}, r"minute: cannot read '60': its values are 0 to 59"),
        ({"minute": -1}, r"minute: cannot read"),
        ({"hour": "ten"}, r"hour: cannot read 'ten'"),
        ({"hour": "1 2"}, r"hour: cannot read '1 2'"),
        ({"hour": ""}, r"hour: cannot read ''"),
        ({"hour": []}, r"hour: cannot read \[\]: its values are 0 to 23"),
        ({"hour": True}, r"hour: cannot read True"),
        ({"hour": 1.5}, r"hour: cannot read 1.5"),
        ({"hour": None}, r"hour: cannot read None"),
        ({"hour": "*/0"}, r"hour: cannot read '\*/0'"),
        ({"hour": "5/15"}, r"hour: cannot read '5/15': .* write one, 0-23, \*/2 or 0-23/2"),
        ({"day_of_week": "someday"}, r"its values are 0 to 6, sun, mon"),
        ({"day_of_week": 8}, r"day_of_week: cannot read '8'"),
        ({"month_of_year": 0}, r"month_of_year: cannot read '0': its values are 1 to 12, jan"),
        ({"day_of_month": 30, "month_of_year": 2}, r"day_of_month=30, month_of_year=2: no such day exists"),
        ({"timezone": "Europe/Nowhere"}, r"timezone='Europe/Nowhere': give a ZoneInfo, or the name"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(fields, text):
    with pytest.raises(SettingsMistake, match=text):
        crontab(digest, **fields)


# Where clocks change: Debian cron's rule


@pytest.mark.parametrize(
    ("fields", "zone", "after", "expected"),
    [
        # the clock jumps from 02:00 to 03:00: what it jumps over is due right then, once
        (dict(minute=30, hour=2), BERLIN, "2026-03-28T12:00Z", ["2026-03-29 03:00+0200", "2026-03-30 02:30+0200"]),
        (
            dict(minute=[15, 45], hour=2),
            BERLIN,
            "2026-03-28T12:00Z",
            ["2026-03-29 03:00+0200", "2026-03-30 02:15+0200"],
        ),
        (dict(minute=0, hour=[2, 3]), BERLIN, "2026-03-28T12:00Z", ["2026-03-29 03:00+0200", "2026-03-30 02:00+0200"]),
        (dict(minute=30, hour=2), NEW_YORK, "2026-03-07T12:00Z", ["2026-03-08 03:00-0400", "2026-03-09 02:30-0400"]),
        # from 02:00 to 02:30
        (dict(minute=15, hour=2), LORD_HOWE, "2026-10-03T00:00Z", ["2026-10-04 02:30+1100", "2026-10-05 02:15+1100"]),
        (dict(minute=45, hour=2), LORD_HOWE, "2026-10-03T00:00Z", ["2026-10-04 02:45+1100", "2026-10-05 02:45+1100"]),
        # the clock shows 02:00 to 03:00 twice: the first counts
        (dict(minute=30, hour=2), BERLIN, "2026-10-24T12:00Z", ["2026-10-25 02:30+0200", "2026-10-26 02:30+0100"]),
        (dict(minute=30, hour=1), NEW_YORK, "2026-10-31T12:00Z", ["2026-11-01 01:30-0400", "2026-11-02 01:30-0500"]),
        # from 02:00 back to 01:30
        (dict(minute=45, hour=1), LORD_HOWE, "2026-04-04T00:00Z", ["2026-04-05 01:45+1100", "2026-04-06 01:45+1030"]),
        (dict(minute=15, hour=1), LORD_HOWE, "2026-04-04T00:00Z", ["2026-04-05 01:15+1100", "2026-04-06 01:15+1030"]),
        # with a wildcard, what the clock really shows counts
        (
            dict(minute="*/30"),
            BERLIN,
            "2026-03-29T00:15Z",
            ["2026-03-29 01:30+0100", "2026-03-29 03:00+0200", "2026-03-29 03:30+0200"],
        ),
        (
            dict(minute="*/30"),
            BERLIN,
            "2026-10-24T23:45Z",
            [
                "2026-10-25 02:00+0200",
                "2026-10-25 02:30+0200",
                "2026-10-25 02:00+0100",
                "2026-10-25 02:30+0100",
                "2026-10-25 03:00+0100",
            ],
        ),
        (
            dict(minute=40),
            LORD_HOWE,
            "2026-04-04T14:00Z",
            ["2026-04-05 01:40+1100", "2026-04-05 01:40+1030", "2026-04-05 02:40+1030"],
        ),
        (dict(minute="*/30", hour=2), BERLIN, "2026-03-28T12:00Z", ["2026-03-30 02:00+0200", "2026-03-30 02:30+0200"]),
    ],
)
def test_where_clocks_change(fields, zone, after, expected):
    assert due(crontab(digest, **fields, timezone=zone), after, len(expected)) == expected


# All of it, against a look at every minute of two years: one bit for each


DAYS = [datetime(2025, 12, 30) + timedelta(days=n) for n in range(2 * 365 + 4)]
START, MINUTES = datetime(2026, 1, 1, tzinfo=UTC), 2 * 365 * 1440


def walls_of(read: cron.Moments) -> int:
    """The minutes that match on a clock which never changes, from DAYS[0] on."""
    times = [(n // 60 in read.hour) and (n % 60 in read.minute) for n in range(1440)]
    day = sum(1 << n for n, matches in enumerate(times) if matches).to_bytes(180, "little")
    matching = [
        d.day in read.day_of_month and d.month in read.month_of_year and (d.weekday() + 1) % 7 in read.day_of_week
        for d in DAYS
    ]
    return int.from_bytes(b"".join(day if matches else bytes(180) for matches in matching), "little")


@cache
def spans(zone: str) -> list[tuple[int, int]]:
    """Since which minute the clock has run so many minutes ahead of UTC (plus the two days of DAYS)."""
    found: list[tuple[int, int]] = []
    for minute in range(0, MINUTES, 30):
        ahead = (START + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).utcoffset() // timedelta(minutes=1)
        if not found or found[-1][1] != ahead + 2880:
            found.append((minute, ahead + 2880))
    return found


def due_minutes(read: cron.Moments, zone: str) -> int:
    """The minutes from START on that are due, by Debian's rule read literally."""
    walls, due, changes = walls_of(read), 0, [*spans(zone), (MINUTES, 0)]
    for (start, ahead), (end, _) in pairwise(changes):
        due |= ((walls >> (start + ahead)) & ((1 << (end - start)) - 1)) << start
    for (_, before), (change, after) in pairwise(spans(zone)):
        if read.wild:
            continue
        if after > before and (walls >> (change + before)) & ((1 << (after - before)) - 1):
            due |= 1 << change
        elif after < before:
            due &= ~(((1 << (before - after)) - 1) << change)
    return due


def numbers(low: int, high: int) -> st.SearchStrategy[cron.Field]:
    number = st.integers(low, high)
    return st.one_of(
        number,
        st.lists(number, min_size=1, max_size=4),
        st.builds("{}-{}".format, number, number),
        st.builds("*/{}".format, st.integers(1, high)),
        st.just("*"),
    )


everything = st.fixed_dictionaries(
    {
        "minute": numbers(0, 59),
        "hour": numbers(0, 23),
        "day_of_week": numbers(0, 6),
        "day_of_month": numbers(1, 31),
        "month_of_year": numbers(1, 12),
    }
)


@settings(max_examples=500)
@given(everything, st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "UTC"]), st.randoms(use_true_random=False))
def test_every_minute_of_two_years_is_judged_right(fields, zone, rng):
    try:
        read = cron.moments(**fields)
    except SettingsMistake:
        assume(False)
    minutes = due_minutes(read, zone)
    asked = [*rng.sample(range(MINUTES), 40), *(change + n for change, _ in spans(zone) for n in (-90, -1, 0, 45))]

    for minute in asked:
        rest = minutes >> (minute + 1) if minute >= -1 else 0
        if rest:
            expected = START + timedelta(minutes=minute + (rest & -rest).bit_length())
            assert cron.next_after(read, ZoneInfo(zone), START + timedelta(minutes=minute)) == expected


# As arq's worker sees them


def test_a_schedule_is_a_cron_job_of_arq():
    schedule = crontab(digest, name="weekly-digest", minute=0, hour=10, day_of_week=6)

    schedule.calculate_next(datetime(2026, 1, 1, tzinfo=UTC))

    assert isinstance(schedule, CronJob)
    assert schedule.name == "weekly-digest"
    assert schedule.next_run == datetime(2026, 1, 3, 10, tzinfo=UTC)
    assert repr(schedule) == "<crontab weekly-digest: 0 10 * * 6 (m/h/dM/MY/d)>"


async def test_a_schedule_calls_its_task_with_its_arguments():
    assert await every(digest, timedelta(seconds=30), args=(7,)).coroutine({}) == 7


def test_the_name_is_the_tasks_unless_given():
    assert every(digest, timedelta(seconds=30)).name == "tests.schedules.digest"
    assert every("elsewhere.task", timedelta(seconds=30)).task == "elsewhere.task"


def test_without_a_zone_the_workers_counts():
    schedule = crontab(digest, minute=0, hour=10)

    assert schedule.next_after(datetime(2026, 7, 1, tzinfo=ZoneInfo(BERLIN))) == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert schedule.next_after(datetime(2026, 7, 1).astimezone(UTC)) > datetime(2026, 7, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("period", [timedelta(0), timedelta(seconds=-1), 30])
def test_a_period_that_is_none_is_refused(period):
    with pytest.raises(SettingsMistake, match=r"give a time span such as timedelta\(seconds=30\)"):
        every(digest, period)


def test_what_is_not_a_task_is_refused():
    with pytest.raises(SettingsMistake, match="is not a task: a schedule takes a @task, or the name of one"):
        crontab(lambda: None, minute=0)
