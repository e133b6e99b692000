"""Schedules in words: different moments have different ones, and where there are none the declaration is shown."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from jobs import crontab, every
from jobs.monitor_site.schedule_words import in_words

WORDS: dict[str, Any] = {
    "every minute": {},
    "every 5 minutes": {"minute": "*/5"},
    "every hour at minute 0": {"minute": 0},
    "every hour at minutes 5 and 35": {"minute": "5,35"},
    "every 2 hours at minute 0": {"minute": 0, "hour": "*/2"},
    "daily at 09:00": {"minute": 0, "hour": 9},
    "daily at 09:30 and 17:30": {"minute": 30, "hour": [9, 17]},
    "weekdays at 09:00 (Europe/Berlin)": {
        "minute": 0, "hour": 9, "day_of_week": "mon-fri", "timezone": "Europe/Berlin",
    },
    "weekends at 22:15": {"minute": 15, "hour": 22, "day_of_week": "sat,sun"},
    "Mondays, Wednesdays and Sundays at 07:00": {"minute": 0, "hour": 7, "day_of_week": [0, 1, 3]},
    "every 15 minutes from 09:00 to 17:45, weekdays": {"minute": "*/15", "hour": "9-17", "day_of_week": "1-5"},
    "every hour from 09:05 to 17:05": {"minute": 5, "hour": "9-17"},
    "on day 1 of the month at 00:00": {"minute": 0, "hour": 0, "day_of_month": 1},
    "Fridays on days 1 to 7 of the month at 08:00": {
        "minute": 0, "hour": 8, "day_of_month": "1-7", "day_of_week": "fri",
    },
    "daily at 06:00, in January and July": {"minute": 0, "hour": 6, "month_of_year": "1,7"},
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_the_words(words: str) -> None:
    assert in_words(crontab("t", **WORDS[words]).when) == words


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (timedelta(seconds=30), "every 30 seconds"),
        (timedelta(seconds=1), "every second"),
        (timedelta(minutes=5), "every 5 minutes"),
        (timedelta(hours=1), "every hour"),
        (timedelta(days=1), "every day"),
        (timedelta(days=400, hours=1), "every 9,601 hours"),
        (timedelta(milliseconds=1500), "every 1.5 seconds"),
        (timedelta(minutes=2, milliseconds=1), "every 0:02:00.001000"),
    ],
)
def test_the_words_of_a_period(period: timedelta, words: str) -> None:
    assert in_words(every("t", period).when) == words


@pytest.mark.parametrize(
    "given", [range(0, 60, 5), {0, 35, 5, 40, 10, 45, 15, 50, 20, 55, 25, 30}, [0, *range(5, 60, 5)]]
)
def test_a_field_that_is_a_collection(given: Any) -> None:
    shown = in_words(crontab("t", minute=given).when)
    assert shown == "every 5 minutes" or shown.startswith("range(")


def random_field(rng: Random, low: int, high: int) -> Any:
    a, b = sorted(rng.choices(range(low, high + 1), k=2))
    return rng.choice(["*", "*", a, f"{a}-{b}", f"*/{rng.randint(1, 12)}", f"{a},{b}", [a, b], {b, a}, f"{a}-{b}/2"])


def test_different_moments_have_different_words() -> None:
    """Also those that clocks show twice, or jump over: `*/2` is not the same as the hours that it names."""
    rng, seen = Random(11), dict[str, Any]()
    shown = 0
    for _ in range(4_000):
        fields = {
            "minute": random_field(rng, 0, 59), "hour": random_field(rng, 0, 23),
            "day_of_month": random_field(rng, 1, 28), "month_of_year": random_field(rng, 1, 12),
            "day_of_week": random_field(rng, 0, 6), "timezone": rng.choice([None, "Europe/Berlin", "UTC"]),
        }  # fmt: skip
        schedule = crontab("t", **fields)
        words = in_words(schedule.when)
        shown += words[0].isalpha()
        meant = schedule.due, fields["timezone"]
        assert seen.setdefault(words, meant) == meant, words
    assert shown > 100


def test_what_has_no_short_words_is_shown_as_a_crontab_has_it() -> None:
    odd = crontab("t", "*/7 3,5 13 * *", timezone="Europe/Berlin")
    assert in_words(odd.when) == "*/7 3,5 13 * * (Europe/Berlin)"


def test_different_periods_have_different_words() -> None:
    rng = Random(12)
    periods = {
        timedelta(seconds=rng.choice([1, 60, 3_600, 86_400, 0.001, 0.000001]) * rng.randint(1_000, 9_999))
        for _ in range(2_000)
    }
    assert len({in_words(every("t", period).when) for period in periods}) == len(periods)


NO_DECLARATIONS = [
    "", "every", "every x", "every 99999999999 days, 0:00:00", "* * * * *", "a b c d e (m/h/dM/MY/d)",
    "61 * * * * (m/h/dM/MY/d)", "* * * * (m/h/dM/MY/d)", "* * * * * * (m/h/dM/MY/d)", "0 0 31 2 * (m/h/dM/MY/d)",
    "x" * 5_000, "{" * 900 + " (m/h/dM/MY/d)",
]  # fmt: skip


@pytest.mark.parametrize("when", NO_DECLARATIONS)
def test_what_is_no_declaration_is_shown_as_it_is(when: str) -> None:
    assert in_words(when) == when
