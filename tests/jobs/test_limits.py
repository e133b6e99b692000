"""What a rate limit says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import SettingsMistake
from jobs.limits import RateLimit, parse_rate_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (5, RateLimit(5, 1_000)),
        (0.5, RateLimit(0.5, 1_000)),
        ("5", RateLimit(5, 1_000)),
        ("10/s", RateLimit(10, 1_000)),
        ("5/m", RateLimit(5, 60_000)),
        ("100/h", RateLimit(100, 3_600_000)),
        (" 100 / h ", RateLimit(100, 3_600_000)),
        (None, None),
    ],
)
def test_celerys_ways_to_say_it(text, limit):
    assert parse_rate_limit(text) == limit


def test_the_spacing_is_the_window_shared_out():
    assert parse_rate_limit("5/m").spacing_ms == 12_000
    assert parse_rate_limit(0.5).spacing_ms == 2_000


@pytest.mark.parametrize(
    "text", ["often", "5/d", "/m", "5/", "-5/m", "", "5/m/h", True, float("nan"), float("inf")]
)
def test_anything_else_is_refused_with_the_ways_to_write_it(text):
    with pytest.raises(SettingsMistake, match=r'rate_limit=.*write a number \(a second\), "10/s"'):
        parse_rate_limit(text)


@pytest.mark.parametrize("text", [0, "0/m"])
def test_a_limit_of_nothing_is_refused(text):
    with pytest.raises(SettingsMistake, match="nothing would ever run; None is no limit"):
        parse_rate_limit(text)


@given(st.integers(1, 10**6), st.sampled_from("smh"))
def test_as_many_spacings_as_the_count_fill_the_window(count, unit):
    limit = parse_rate_limit(f"{count}/{unit}")

    assert limit.spacing_ms * count == pytest.approx(limit.window_ms)
