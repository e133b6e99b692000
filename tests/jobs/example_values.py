"""Values for properties: all that travels, nested in each other, and much that does not."""

from __future__ import annotations

import collections
import enum
import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgpack
from hypothesis import strategies as st

from jobs.tasks.current import Request
from jobs.values.exceptions import declare_exception

zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/St_Johns"]).map(ZoneInfo),
    # whole seconds: Python 3.11 reads an offset of less than one as none
    st.integers(-23 * 3600, 23 * 3600).map(lambda offset_s: timezone(timedelta(seconds=offset_s))),
)
_EDGES: tuple[Any, ...] = (
    datetime.min,
    datetime.max,
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    datetime.max.replace(tzinfo=ZoneInfo("America/St_Johns")),
    datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    time.max,
    timedelta.max,
    timedelta.min,
    Decimal("1E+999999"),
    Decimal("-0"),
    10**4_299,
    -(10**4_299),
    2**63,
    2**64,
    math.inf,
    -0.0,
    "x" * 5_000,
    b"\xff" * 5_000,
    "\u202e\x1b[2J\n\x00 早上好 🌍",
    "",
    b"",
)
edges = st.integers(0, len(_EDGES) - 1).map(_EDGES.__getitem__)
hashables = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
    edges,
)


def brief(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The same, with a short repr: Hypothesis warns of a long one."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return draw(strategy)

    return drawn()


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Containers of all kinds inside each other."""
    return st.recursive(
        leaves | st.sets(keys, max_size=3) | st.frozensets(keys, max_size=3),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(keys, inner, max_size=4),
            st.tuples(inner, st.integers(1, 40), st.integers(0, 3)).map(lambda given: wrapped(*given)),
        ),
        max_leaves=10,
    )


def wrapped(value: Any, levels: int, how: int) -> Any:
    """*value* inside so many levels of one kind, or of all kinds in turn."""
    for level in range(levels):
        kind = level % 3 if how == 3 else how
        value = [value] if kind == 0 else (value,) if kind == 1 else {"in": value}
    return value


keys = brief(
    st.recursive(
        hashables, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=4
    )
)
released = brief(nested(keys))
"""What version 0.1 gave back as it was."""


class Declared(Exception):
    """Known to both sides, with a constructor that makes its text."""

    def __init__(self, code: Any) -> None:
        try:
            super().__init__(f"code {code}")
        except RuntimeError:
            super().__init__("code unreadable")
        self.code = code


class Speaking(Exception):
    """Known to both sides, with a text of its own and arguments by name only."""

    def __init__(self, *, what: Any) -> None:
        self.what = what

    def __str__(self) -> str:
        return f"no {self.what}"


class Unknown(Exception):
    """Known to nobody."""


class Hurting(Exception):
    """Neither its text nor its arguments can be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


declare_exception(Declared, Speaking)


class Nan:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class OddZone(tzinfo):
    def utcoffset(self, when: datetime | None) -> timedelta:
        raise RuntimeError("nowhere")


_ODD_EXCEPTIONS: tuple[BaseException, ...] = (
    FileNotFoundError(2, "No such file", "a\udc80.txt"),
    OSError(18, "Cross-device", "a", None, "b"),
    UnicodeDecodeError("utf-8", b"\xff" * 100, 3, 4, "invalid"),
    StopIteration(3),
    SystemExit(3),
    KeyboardInterrupt(),
    Hurting(),
    ValueError("x" * 200_000),
    ValueError(object(), Nan()),
    SyntaxError("bad", ("file", 1, 2, "text")),
)


def exceptions(values: st.SearchStrategy[Any]) -> st.SearchStrategy[BaseException]:
    """Exceptions with odd arguments, in each other and in groups."""
    plain = st.one_of(
        st.builds(ValueError, values, values),
        st.builds(KeyError, values),
        st.builds(Declared, values),
        st.builds(lambda what: Speaking(what=what), values),
        st.builds(Unknown, values),
        st.integers(0, len(_ODD_EXCEPTIONS) - 1).map(_ODD_EXCEPTIONS.__getitem__),
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.builds(ValueError, inner),
            st.lists(inner, min_size=1, max_size=3).map(lambda errors: BaseExceptionGroup("several", errors)),
            st.builds(_noted, inner),
            st.builds(raised_from, inner, inner),
        ),
        max_leaves=8,
    )


def _noted(error: BaseException) -> BaseException:
    error.add_note("a note\n" * 3)
    return error


def raised_from(error: BaseException, cause: BaseException) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:
        return raised


requests = st.builds(
    Request, st.text(max_size=9), st.just("tests.echo"), st.tuples(released), st.just({"password": "x"})
)
not_equal = st.one_of(
    st.just(math.nan),
    st.sampled_from([Decimal("NaN"), Decimal("sNaN"), msgpack.Timestamp(1, 2)]),
    brief(exceptions(released)),
    requests,
)
travelling = brief(nested(keys | not_equal))
"""All that travels."""


class Colour(enum.IntEnum):
    RED = 1


class Name(enum.StrEnum):
    ANN = "ann"


class Pair(NamedTuple):
    a: int
    b: int


@dataclass
class Point:
    x: int


class Int(int): ...


class Text(str): ...


class Real(float): ...


class Row(dict[str, int]): ...


class Items(list[int]): ...


class Moment(datetime): ...


REFUSED: tuple[tuple[Any, str], ...] = (
    (bytearray(b"a"), "bytes(x)"),
    (memoryview(b"a"), "bytes(x)"),
    (Colour.RED, "x.value"),
    (Name.ANN, "x.value"),
    (Int(1), "int(x)"),
    (Int(2**70), "int(x)"),
    (Text("a"), "str(x)"),
    (Real(1), "float(x)"),
    (Row(), "dict(x)"),
    (Items(), "list(x)"),
    (Moment(2026, 1, 1), "datetime.fromisoformat(x.isoformat())"),
    (Pair(1, 2), "tuple(x)"),
    (Point(1), "dataclasses.asdict(x)"),
    (PurePosixPath("/tmp"), "str(x)"),
    (collections.OrderedDict(a=1), "dict(x)"),
    (collections.defaultdict(int), "dict(x)"),
    (collections.Counter("a"), "dict(x)"),
    (collections.deque([1]), "list(x)"),
    (msgpack.ExtType(1, b"\x90"), "x.data"),
    (msgpack.ExtType(99, b""), "x.data"),
    (Fraction(1, 2), "str(x)"),
    (range(3), "list(x)"),
    (iter([1]), "list(x)"),
    ({}.keys(), "set(x)"),
    (ZoneInfo("Europe/Berlin"), "str(x)"),
    (open, "its name"),
    (Point, "its name"),
    (object(), "its id"),
    (Nan(), "its id"),
    (10**4_300, "hex(x)"),
    ("a\udc80", "os.fsencode(x)"),
    (datetime(2026, 1, 1, tzinfo=OddZone()), "cannot be encoded"),
)
"""What does not travel, and what is said of it."""
