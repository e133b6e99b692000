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
from jobs.tasks.rate_limit import stored_rate

LUA = scripts.with_parts("-- include: limits")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (5, "5 1000"),
        (0.5, "0.5 1000"),
        ("5", "5 1000"),
        ("10/s", "10 1000"),
        ("5/m", "5 60000"),
        ("100/h", "100 3600000"),
        (" 100 / h ", "100 3600000"),
        (None, ""),
    ],
)
def test_celerys_ways_to_say_it(text, limit):
    assert stored_rate(text) == limit


@pytest.mark.parametrize("text", ["often", "5/d", "/m", "5/", "-5/m", "", "5/m/h", True, float("nan"), float("inf")])
def test_anything_else_is_refused_with_the_ways_to_write_it(text):
    with pytest.raises(SettingsMistake, match=r'rate_limit=.*write a number \(a second\), "10/s"'):
        stored_rate(text)


@pytest.mark.parametrize("text", [0, "0/m"])
def test_a_limit_of_nothing_is_refused(text):
    with pytest.raises(SettingsMistake, match="nothing would ever run; None is no limit"):
        stored_rate(text)


@given(
    st.one_of(
        st.floats(1e-7, 1e9),
        st.integers(1, 10**9),
        st.decimals(Decimal("0.001"), 10**6, places=3),
        st.builds("{}/{}".format, st.decimals(Decimal("0.01"), 10**8, places=4), st.sampled_from("smh")),
    )
)
def test_what_is_accepted_is_stored_as_a_plain_decimal_that_both_parsers_read(rate):
    stored = stored_rate(rate)

    assert re.fullmatch(r"[0-9]+(\.[0-9]+)? [0-9]+", stored)
    count = float(str(rate).partition("/")[0])
    assert float(stored.split()[0]) == pytest.approx(count, rel=1e-4)
    assert stored_rate(stored.split()[0])


@pytest.mark.parametrize("rate", ["1000000/h", "0.00001/s", 1e-5, "10/s", "0.5", "1/h"])
async def test_the_script_that_keeps_limits_reads_what_is_stored(redis, redis_url, rate):
    async with connect(redis_url) as connection:
        await monitor.set_rate_limit(connection, "limits.task", rate)
    stored = (await redis.hget("jobs:limits", "limits.task|override")).decode()

    given, window_ms = stored.split()
    for written in (stored, f"{float(given):g} {window_ms}"):  # as released versions wrote it
        await redis.hset("jobs:limits", "limits.task|override", written)
        script = "local l = limits_of(ARGV[1]) return { tostring(l.count), l.window }"
        text = scripts.whole(f"{LUA}\n{script}")
        count, window = await redis.eval(text, 1, "jobs:", "limits.task")
        assert float(count) == pytest.approx(float(given))
        assert window == int(window_ms)
