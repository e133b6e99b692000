"""When is a call due? What countdown, eta and expires mean on the way to Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.store.call import moment


@pytest.fixture(params=["Asia/Shanghai", "UTC", "America/St_Johns"])
def local_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """The zone of this process, as `TZ=` sets it."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(naive=st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)))
def test_a_naive_eta_is_the_processs_local_time(local_zone: ZoneInfo, naive: datetime) -> None:
    assert int(moment(naive)) == int(naive.replace(tzinfo=local_zone).timestamp() * 1000)


@given(aware=st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)))
def test_an_aware_eta_is_the_same_moment_everywhere(aware: datetime) -> None:
    assert moment(aware) == moment(aware.astimezone(ZoneInfo("Asia/Shanghai")))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (10, "+10000"), (0.25, "+250"), (0, "+0"), (-5, "+0"), (timedelta(minutes=1), "+60000")],
)
def test_a_delay_counts_from_redis_now_and_is_never_negative(value: float | timedelta | None, text: str) -> None:
    assert moment(value) == text
