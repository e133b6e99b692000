"""What a rate limit says."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import connect, monitor
from jobs.errors import SettingsMistake
from jobs.store import scripts
from jobs.tasks.rate_limit import RateLimit, as_stored, parse_rate_limit
from tests.jobs.worker.conftest import ROOT

LUA = ROOT / "jobs/store/scripts/limits.lua"


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
    assert parse_rate_limit("5/m") == RateLimit(5, 60_000)
    assert parse_rate_limit(0.5) == RateLimit(0.5, 1_000)


@pytest.mark.parametrize("text", ["often", "5/d", "/m", "5/", "-5/m", "", "5/m/h", True, float("nan"), float("inf")])
def test_anything_else_is_refused_with_the_ways_to_write_it(text):
    with pytest.raises(SettingsMistake, match=r'rate_limit=.*write a number \(a second\), "10/s"'):
        parse_rate_limit(text)


@pytest.mark.parametrize("text", [0, "0/m"])
def test_a_limit_of_nothing_is_refused(text):
    with pytest.raises(SettingsMistake, match="nothing would ever run; None is no limit"):
        parse_rate_limit(text)


@given(
    st.one_of(
        st.floats(1e-7, 1e9),
        st.integers(1, 10**9),
        st.decimals(Decimal("0.001"), 10**6, places=3),
        st.builds("{}/{}".format, st.decimals(Decimal("0.01"), 10**8, places=4), st.sampled_from("smh")),
    )
)
def test_what_is_accepted_is_stored_as_a_plain_decimal_that_both_parsers_read(rate):
    limit = parse_rate_limit(rate)
    stored = as_stored(limit)

    assert re.fullmatch(r"[0-9]+(\.[0-9]+)? [0-9]+", stored)
    assert float(stored.split()[0]) == pytest.approx(limit.count, rel=1e-4)
    assert parse_rate_limit(stored.split()[0]).count > 0


@pytest.mark.parametrize("rate", ["1000000/h", "0.00001/s", 1e-5, "10/s", "0.5", "1/h"])
async def test_the_script_that_keeps_limits_reads_what_is_stored(redis, redis_url, rate):
    limit = parse_rate_limit(rate)
    async with connect(redis_url) as connection:
        await monitor.set_rate_limit(connection, "limits.task", rate)
    stored = (await redis.hget("jobs:limits", "limits.task|override")).decode()

    for written in (stored, f"{limit.count:g} {limit.window_ms}"):  # as released versions wrote it
        await redis.hset("jobs:limits", "limits.task|override", written)
        script = "local l = limits_of(ARGV[1]) return { tostring(l.count), l.window }"
        text = scripts.whole(f"{LUA.read_text()}\n{script}")
        count, window = await redis.eval(text, 1, "jobs:", "limits.task")
        assert float(count) == pytest.approx(limit.count)
        assert window == limit.window_ms
