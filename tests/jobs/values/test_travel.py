"""What travels comes back as it was; what does not is refused, with a sentence that says what to pass."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import encoding
from jobs.encoding import DEPTH, dumps, loads
from jobs.errors import EncodingError, RemoteError, TooLarge
from jobs.tasks.current import Request
from tests.jobs import example_values as values
from tests.jobs.released import encoding as released_encoding

released_encoding.declare_type(Request, 30, lambda r: list(vars(r).values()), lambda plain: Request(*plain))
RECORDED = Path(__file__).parents[1] / "released" / "values.json"


def as_seen(value: Any) -> Any:
    """A value in a form that is equal only if types and order are, too."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(as_seen, value))
    if isinstance(value, set | frozenset):
        return (type(value).__name__, *sorted(map(as_seen, value), key=repr))
    if isinstance(value, dict):
        return ("dict", *((as_seen(key), as_seen(inner)) for key, inner in value.items()))
    if isinstance(value, Request):
        fields = {
            name: field for name, field in vars(value).items() if field or name != "headers"
        }  # they do not travel
        return ("Request", *map(as_seen, fields.values()))
    if isinstance(value, BaseException):
        return (type(value).__name__, as_seen(value.args))
    if isinstance(value, datetime):
        return ("datetime", repr(value.replace(tzinfo=None)), value.fold, str(value.utcoffset()))
    return (type(value).__name__, repr(value))


def taken(value: Any) -> bytes | None:
    """The value encoded; None if it is refused for its depth, which is the only reason here."""
    refusals: list[str] = []
    try:
        return dumps(value)
    except EncodingError as error:
        refusals.append(str(error))
    assert "nested too deep" in refusals[0]
    return None


@given(values.released)
def test_what_the_released_version_took_comes_and_goes_as_it_did(value: Any) -> None:
    before = released_encoding.dumps(value)
    if (now := taken(value)) is None:
        return

    assert as_seen(loads(now)) == as_seen(loads(before)) == as_seen(value)
    assert as_seen(released_encoding.loads(now)) == as_seen(value)


@given(values.travelling | values.exceptions(values.travelling))
def test_whatever_is_taken_can_be_read(value: Any) -> None:
    if (data := taken(value)) is None:
        return

    back = encoding.loads_wrapped(data)

    if not isinstance(value, BaseException):
        assert type(back) is type(value)
    assert encoding.loads_wrapped(dumps(back)) is not None or back is None


def test_recorded_values_decode_as_they_did() -> None:
    recorded = json.loads(RECORDED.read_text())

    assert len(recorded) == 200
    for data, seen in recorded:
        assert escaped(repr(as_seen(loads(bytes.fromhex(data))))) == escaped(seen)


def escaped(text: str) -> str:
    """Which characters `repr()` escapes depends on the Unicode that Python knows."""
    return re.sub(r"\\+", r"\\", "".join(one if one.isascii() else ascii(one)[1:-1] for one in text))


@pytest.mark.parametrize(("value", "instead"), values.REFUSED, ids=lambda value: type(value).__name__)
def test_what_does_not_travel_is_refused_and_says_what_to_pass(value: Any, instead: str) -> None:
    places: list[Callable[[Any], Any]] = [
        lambda x: x, lambda x: [1, x], lambda x: {"a": (x,)}, lambda x: Request("1", "t", (x,)),
    ]  # fmt: skip
    if type(value).__hash__ is not None and type(value) is not memoryview:
        places += [lambda x: {x: 1}, lambda x: frozenset([x])]
    if isinstance(value, datetime) and type(value) is datetime:  # its hash raises
        places = places[:4]
    for place in places:
        with pytest.raises(EncodingError) as caught:
            dumps(place(value))
        assert instead in str(caught.value)
        assert len(str(caught.value)) < 400


KINDS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "dict": lambda x: {"a": x},
    "frozenset": lambda x: frozenset([x]),
    "key": lambda x: {(x,): 1} if not isinstance(x, dict) else [x],
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_nested_64_levels_at_most(kind: str) -> None:
    deep: list[Any] = [()]
    while len(deep) < 5_000:
        deep.append(KINDS["tuple" if kind == "key" else kind](deep[-1]))

    assert as_seen(loads(dumps(deep[DEPTH - 1]))) == as_seen(deep[DEPTH - 1])
    for levels in (DEPTH, DEPTH + 1, 200, 490, 4_999):
        with pytest.raises(EncodingError, match="64 levels"):
            dumps(deep[levels])
    while deep:  # the deepest first: a destructor has a stack, too
        deep.pop()


@pytest.mark.parametrize("tag", [1, 2, 3, 20, 30])
@pytest.mark.parametrize("levels", [DEPTH + 1, 200, 490, 5_000])
def test_bytes_that_are_nested_deeper_raise_one_error(tag: int, levels: int) -> None:
    data = b"\x90"
    for _ in range(levels):
        inside = {20: b"\x94\xa1x" + data + b"\xa0\xa0", 30: b"\x92\xa1x" + data}.get(tag, b"\x91" + data)
        data = b"\xc9" + len(inside).to_bytes(4, "big") + bytes([tag]) + inside
        if len(data) > 300_000:
            break

    with pytest.raises(EncodingError):
        loads(data)
    for read in (encoding.loads_stored, encoding.loads_cut, encoding.loads_job):
        with contextlib.suppress(EncodingError):
            read(data)


def test_a_value_that_holds_itself_many_times_is_refused_at_once() -> None:
    wide: list[Any] = []
    for _ in range(DEPTH - 2):
        wide = [wide, wide]
    began = time.process_time()

    with pytest.raises(TooLarge):
        dumps(wide, most=262_144)
    assert time.process_time() - began < 5


@given(st.lists(st.binary(max_size=40), max_size=3), st.integers(0, 30))
def test_two_dicts_are_joined(names: list[bytes], more: int) -> None:
    first = {name: 1 for name in names} | {"t": None}
    second = {"t": 5, **{str(n): n for n in range(more)}}

    assert loads(encoding.joined(msgpack.packb(first), msgpack.packb(second))) == first | second


# exceptions


def nest(error: BaseException, levels: int) -> BaseException:
    for _ in range(levels):
        error = ValueError(error)
    return error


@pytest.mark.parametrize(
    "error",
    [
        values.Declared(5),
        values.Speaking(what="tea"),
        ValueError("a", 1),
        KeyError("k"),
        FileNotFoundError(2, "No such file", "a.txt"),
        OSError(18, "Cross-device link", "a", None, "b"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        SyntaxError("bad", ("file.py", 1, 2, "text")),
        ExceptionGroup("several", [ValueError(1), ExceptionGroup("more", [KeyError("k")])]),
        nest(KeyError("k"), 4),
        ValueError(ValueError("a"), [ValueError("b")]),
        EncodingError("x"),
    ],
    ids=repr,
)
def test_an_exception_has_its_class_text_arguments_and_attributes(error: BaseException) -> None:
    for raised in (False, True):
        if raised:
            with pytest.raises(type(error)):
                raise error
        back = loads(dumps(error))
        twice = loads(dumps(back))

        for one in (back, twice):
            assert (type(one), str(one), repr(one.args)) == (type(error), str(error), repr(error.args))
            assert {k: v for k, v in vars(one).items() if k != "__notes__"} == {
                k: v for k, v in vars(error).items() if k != "__notes__"
            }
        if isinstance(error, OSError):
            assert (back.filename, back.filename2) == (error.filename, error.filename2)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 1_000_000),
        KeyError("x" * 1_000_000),
        values.Declared("x" * 1_000_000),
        values.Speaking(what="x" * 1_000_000),
        ValueError(b"x" * 1_000_000),
        ValueError(*["x" * 9_000] * 200),
        ValueError([1] * 1_000_000),
        OSError(2, "x" * 1_000_000, "y" * 1_000_000),
        UnicodeDecodeError("utf-8", b"\xff" * 1_000_000, 900_000, 900_001, "invalid"),
        ExceptionGroup("several", [ValueError("x" * 900)] * 10_000),
        ExceptionGroup("x" * 1_000_000, [ValueError(1)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_huge_exception_is_cut_says_so_and_keeps_its_class(error: BaseException) -> None:
    data = dumps(error)
    back = loads(data)

    assert type(back) is type(error)
    assert len(data) < 262_144
    assert any(word in str(back) for word in ("…", "...", "sub-exceptions", "90000"))
    assert str(loads(dumps(back))) == str(back) or len(str(back)) > 10_000


@pytest.mark.parametrize("levels", [5, 25, 500])
def test_exceptions_in_exceptions_take_time_for_each_once(levels: int) -> None:
    back = loads(dumps(nest(KeyError("the cause"), levels)))
    depth = 0
    while isinstance(back, ValueError) and isinstance(back.args[0], BaseException):
        back, depth = back.args[0], depth + 1

    assert depth <= 5
    assert "the cause" in str(back)


def test_notes_come_back_whether_it_was_raised_or_not() -> None:
    error = ValueError("x")
    error.add_note("look in the cellar")

    for back in (loads(dumps(error)), loads(dumps(values.raised_from(error, KeyError(1))))):
        assert "look in the cellar" in back.__notes__[0]
        assert loads(dumps(back)).__notes__ == back.__notes__


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("x"), BaseExceptionGroup("a", [SystemExit(1)])])
def test_what_would_end_the_reader_comes_back_by_name(error: BaseException) -> None:
    back = loads(dumps(error))

    assert isinstance(back, RemoteError)
    assert (back.name, back.message) == (type(error).__name__, str(error))


@settings(max_examples=50)
@given(values.exceptions(values.released))
def test_an_exception_never_says_something_else(error: BaseException) -> None:
    back = loads(dumps(error))

    if type(back) is not RemoteError:
        assert type(back) is type(error)
    elif not isinstance(error, values.Hurting):
        assert back.name.rpartition(".")[2] == type(error).__qualname__.rpartition(".")[2]
