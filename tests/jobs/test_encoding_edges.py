"""What is easily lost on the way, and bytes that somebody else has put into Redis."""

from __future__ import annotations

import builtins
import contextlib
import math
import pickle
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.encoding import dumps, loads
from jobs.errors import EncodingError, RemoteError, TaskRevoked
from jobs.values import exceptions


class Encodes(Exception):
    def __str__(self) -> str:
        return repr(loads(dumps({"inside": (1, 2)})))


def test_a_value_is_encoded_inside_another_after_an_error_and_after_a_large_one() -> None:
    """One packer serves all of a thread."""
    large = ["x" * 1_000] * 100
    for _ in range(2):
        with pytest.raises(EncodingError, match="cannot be encoded"):
            dumps("\udc80")
        before, error, after = loads(dumps([1, Encodes(), 2]))
        assert (before, after) == (1, 2)
        assert "{'inside': (1, 2)}" in str(error)
        assert loads(dumps(large)) == large


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**200),
        "",
        "早上好 🌍 \u202eabc",
        b"\x00\xff",
        (),
        ((1, 2), [3], {4}),
        {1: "a", None: "b", (1, 2): "c"},
        date(2026, 11, 23),
        time(23, 59, 59, 999999, fold=1),
        time(1, tzinfo=ZoneInfo("Asia/Shanghai")),
        timedelta(days=-1, microseconds=1),
        Decimal("1.10"),
        UUID(int=7),
        1 + 2j,
        math.inf,
    ],
    ids=repr,
)
def test_what_is_easily_lost_is_kept(value: Any) -> None:
    back = loads(dumps(value))

    assert (back, type(back)) == (value, type(value))


def test_a_zone_that_is_not_known_here_leaves_the_moment_as_it_was() -> None:
    there = msgpack.ExtType(4, msgpack.packb(["2026-11-23T10:00:00+02:00", "Mars/Olympus", 0]))

    assert loads(msgpack.packb(there)) == datetime(2026, 11, 23, 8, tzinfo=UTC)


class Thing:
    def __reduce__(self) -> Any:
        return (exit, (1,))


class Secret(Exception):
    """Not declared by any task."""


class Picky(Exception):
    def __init__(self, text: str, *, code: int) -> None:
        super().__init__(text)
        self.code = code


@given(st.integers(0, 127), st.binary(max_size=60))
def test_any_tag_with_any_bytes_is_a_value_or_an_encoding_error(tag: int, data: bytes) -> None:
    with contextlib.suppress(EncodingError):
        loads(msgpack.packb(msgpack.ExtType(tag, data)))


def test_pickle_is_bytes_that_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(builtins, "exit", ran.append)

    with pytest.raises(EncodingError):
        loads(pickle.dumps(Thing()))
    assert not ran


def test_an_exception_is_named_but_never_imported() -> None:
    name = "antigravity.SomeError"
    bytes_of_it = msgpack.packb(msgpack.ExtType(20, dumps([name, ("x",), "boom", ""])))

    error = loads(bytes_of_it)

    assert isinstance(error, RemoteError)
    assert (error.name, error.message) == (name, "boom")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("name", ["builtins.exit", "builtins.SystemExit", "builtins.object", "os.system"])
def test_only_exceptions_are_rebuilt(name: str) -> None:
    error = loads(msgpack.packb(msgpack.ExtType(20, dumps([name, ("id",), "boom", ""]))))

    assert isinstance(error, RemoteError)


def test_exceptions_come_back_as_themselves_if_builtin_ours_or_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ValueError("a", 1), KeyError((1, 2)), FileNotFoundError(2, "No such file"), TaskRevoked("x")):
        back = loads(dumps(error))
        assert (type(back), back.args) == (type(error), error.args)

    unknown = loads(dumps(Secret("s")))
    assert isinstance(unknown, RemoteError)
    assert str(unknown).startswith(f"{__name__}.Secret: s (")
    monkeypatch.setattr("jobs.values.exceptions._known", {})
    exceptions.declare_exception(Secret, Picky)
    assert isinstance(loads(dumps(Secret("s"))), Secret)
    picky = loads(dumps(Picky("no", code=3)))
    assert (type(picky), str(picky), picky.code) == (Picky, "no", 3)


def test_an_exception_brings_its_traceback_and_never_fails_to_travel() -> None:
    def deep(n: int) -> None:
        if n == 0:
            raise ValueError(object())
        deep(n - 1)

    try:
        deep(400)
    except ValueError as error:
        back = loads(dumps(error))

    assert isinstance(back, ValueError)
    assert "<object object" in back.args[0]
    assert "in deep" in back.__notes__[0]
    assert len(back.__notes__[0]) < exceptions.TRACEBACK_CHARACTERS + 100
