"""Values come back as they went, whatever they are; bytes that are not ours do no harm."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import encoding
from jobs.errors import EncodingError, RemoteError, TaskRevoked

zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/St_Johns"]).map(ZoneInfo),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
)
values = st.recursive(
    hashable | st.frozensets(hashable, max_size=3) | st.sets(hashable, max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text() | st.integers(-(2**60), 2**60), inner, max_size=4),
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down: True is not 1 here, nor (1,) [1]."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, datetime):
        return a == b and a.utcoffset() == b.utcoffset() and a.fold == b.fold
    return bool(a == b)


@given(values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert same(encoding.loads(encoding.dumps(value)), value)


@given(st.binary(max_size=200))
def test_bytes_that_are_not_ours_raise_one_error(data: bytes) -> None:
    with contextlib.suppress(EncodingError):
        encoding.loads(data)


def test_not_a_number_and_the_infinities_come_back() -> None:
    assert math.isnan(encoding.loads(encoding.dumps(math.nan)))
    assert encoding.loads(encoding.dumps([math.inf, -math.inf])) == [math.inf, -math.inf]


def test_a_zone_keeps_its_name_and_an_hour_that_comes_twice_its_place() -> None:
    second = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)

    back = encoding.loads(encoding.dumps(second))

    assert (back.tzinfo, back.fold, back.utcoffset()) == (second.tzinfo, 1, timedelta(hours=1))


@pytest.mark.parametrize("value", [object(), lambda: 0, open, type("Own", (int,), {}), [1, {"a": object()}]])
def test_what_cannot_travel_is_named(value: Any) -> None:
    with pytest.raises(EncodingError, match=r"^an? .* cannot be encoded"):
        encoding.dumps(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(EncodingError):
        encoding.dumps(circle)


def test_an_exception_that_is_known_comes_back_as_itself() -> None:
    try:
        raise KeyError("missing", date(2026, 1, 1))
    except KeyError as error:
        back = encoding.loads(encoding.dumps(error))

    assert type(back) is KeyError
    assert back.args == ("missing", date(2026, 1, 1))
    assert "Remote traceback" in back.__notes__[0]
    assert type(encoding.loads(encoding.dumps(TaskRevoked("gone")))) is TaskRevoked


def test_one_that_is_not_is_told_of_by_name() -> None:
    class Own(Exception):
        pass

    back = encoding.loads(encoding.dumps(Own("something", object())))

    assert isinstance(back, RemoteError)
    assert back.name.endswith("Own")
    assert "something" in back.message
    assert str(back).endswith(" (to get Own itself, name it in the task's raises=)")
    assert str(RemoteError("WorkflowLost", "its tree is gone")) == "WorkflowLost: its tree is gone"


def test_nothing_is_built_because_bytes_say_so() -> None:
    """A class that is neither builtin nor declared stays a name, whatever module it claims to be of."""
    hostile = encoding.dumps(ValueError("x")).replace(b"builtins.ValueError", b"subprocess.Popen_xx")

    back = encoding.loads(hostile)

    assert isinstance(back, RemoteError)
    assert back.name == "subprocess.Popen_xx"


def test_types_that_equal_each_other_stay_apart() -> None:
    value = [True, 1, 1.0, Decimal(1), (1,), [1], {1}, frozenset({1}), b"1", "1", time(1), UUID(int=1), 2**70]

    assert same(encoding.loads(encoding.dumps(value)), value)
