"""Each type that docs/arguments.md names becomes plain data by its annotation, and is rebuilt from it."""

from __future__ import annotations

import abc
import enum
import numbers
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, Protocol, TypedDict, get_args

import msgspec
import pydantic
import pytest
import typing_extensions
from typing_extensions import TypeAliasType

from jobs import SettingsMistake, declare_type
from jobs.encoding import dumps, loads
from jobs.tasks.current import Request
from jobs.values.shapes.annotations import Shapes
from jobs.values.shapes.shape import Misfit
from tests.jobs.annotated_tasks import (
    EXAMPLES,
    LINE,
    ORDER,
    Base,
    Box,
    Colour,
    Line,
    Model,
    Money,
    Order,
    Pair,
    Size,
    Struct,
    T,
)  # fmt: skip

EMPTY: list[Any] = [
    int, str, None, Any, object, datetime, list, dict[str, int], tuple[int, ...], Sequence[str], int | None, Exception,
    Request, Callable[[int], int], type[Order], Literal["a", 1], Path | str, Order | dict[str, Any], Order | Any,
    Annotated[int, "of items"], TypedDict("Plain", {"a": Path}), abc.ABC, T,
]  # fmt: skip
"""Annotations that are not looked at: of `Path | str` nobody could tell which it was."""


@pytest.mark.parametrize(("annotation", "value"), EXAMPLES)
@pytest.mark.parametrize("strict", [False, True])
def test_a_value_becomes_plain_data_and_is_rebuilt_equal(annotation: Any, value: Any, strict: bool) -> None:
    shape = Shapes(strict).of(annotation)

    plain = shape.convert("write", value)
    back = shape.convert("read", loads(dumps(plain)))

    assert shape.looked_at
    assert (type(back), back) == (type(value), value)
    assert shape.convert("write", plain) == plain or Money in get_args(annotation), "what is plain already stays so"


@pytest.mark.parametrize("annotation", EMPTY)
def test_others_are_not_looked_at(annotation: Any) -> None:
    shape = Shapes(strict=False).of(annotation)

    assert not shape.looked_at
    assert shape.convert("write", ORDER) is ORDER
    assert shape.convert("read", "text") == "text"


@dataclass
class WithInitVar:
    x: InitVar[int]


@dataclass
class OwnInit:
    a: int
    b: int

    def __init__(self, a: int) -> None:
        self.a = self.b = a


class Excluding(pydantic.BaseModel):
    x: int = pydantic.Field(exclude=True)


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Order | Line, "the plain data of Order and of Line, in a union, look the same"),
        (list[Order] | list[Line], "of list and of list, in a union"),
        (dict[Line, int], "Line cannot be a key of a dict or in a set"),
        (set[Money], "Money cannot be a key of a dict or in a set"),
        (WithInitVar, r"'x' is not kept in it \(InitVar"),
        (OwnInit, r"'b' is not kept in it \(InitVar, or an __init__ of its own"),
        (list[Excluding], "exclude=True would be lost"),
    ],
)
def test_what_plain_data_cannot_carry_is_refused(annotation: Any, why: str) -> None:
    with pytest.raises(SettingsMistake, match=why):
        Shapes(strict=False).of(annotation)


@pytest.mark.parametrize(
    ("annotation", "plain", "value"),
    [
        (Pair, ("a",), Pair(Path("a"))),  # an older or newer version, or another caller
        (Pair, ["a", 3, "more"], Pair(Path("a"), 3)),
        (Line, {"sku": "a", "new": 1}, Line("a")),
        (Box, {"_hidden": "red"}, Box(Colour.RED)),
        (Model, {"colour": "red", "new": 1}, Model(colour=Colour.RED)),
        (Struct, {"size": 1, "new": 1}, Struct(Size.S)),
        (Mapping[str, Size], {"a": 1}, {"a": Size.S}),
        (Annotated[Path, "a picture"], "a", Path("a")),
        (TypeAliasType("Lines", list[Line]), [{"sku": "a"}], [Line("a")]),
    ],
)
def test_what_another_version_wrote_is_read(annotation: Any, plain: Any, value: Any) -> None:
    assert Shapes(strict=False).of(annotation).convert("read", plain) == value


@dataclass
class Positive:
    x: int

    def __post_init__(self) -> None:
        if self.x <= 0:
            raise ValueError(f"no {self.x}")


@dataclass
class Shown:
    x: str

    def __post_init__(self) -> None:
        raise ValueError(f"no {self.x}")


class Validated(pydantic.BaseModel):
    x: str

    @pydantic.field_validator("x")
    @classmethod
    def check(cls, x: str) -> str:
        raise ValueError(f"no {x}")


class Checked(msgspec.Struct):
    x: str

    def __post_init__(self) -> None:
        raise ValueError(f"no {self.x}")


class Chosen(msgspec.Struct):
    x: Literal["a"]


@pytest.mark.parametrize(
    ("annotation", "plain", "why"),
    [
        (Positive, {"x": -5}, "Positive does not take it: ValueError"),
        (list[Line], [{"sku": 1}, {}], "its 'sku' is missing"),
        (tuple[Line, Line], ({"sku": 1},), "a tuple of 2 is expected, not of 1"),
        (Model, {"colour": "hunter2"}, "Input should be"),
        (Struct, {"size": "hunter2"}, "Expected `int`, got `str`"),
        (Size, [1], "Size is expected, not list"),
        (Line | int | None, "x", "Line or int or NoneType is expected, not str"),
        (Shown, {"x": "hunter2"}, "Shown does not take it: ValueError"),
        (Validated, {"x": "hunter2"}, "value_error"),
        (Checked, {"x": "hunter2"}, "ValueError"),
        (Chosen, {"x": 'it\'s "a" hunter2'}, r"Invalid enum value '\.\.\.'"),
        (Money, object(), None),
    ],
)
def test_what_does_not_fit_says_why_and_shows_no_value(annotation: Any, plain: Any, why: str | None) -> None:
    shape = Shapes(strict=False).of(annotation)
    if why is None:
        assert shape.convert("read", plain).cents is plain  # its own function decides
        return

    with pytest.raises(Misfit, match=why) as caught:
        shape.convert("read", plain)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


class Asked(Protocol):
    def ask(self) -> int: ...


class Extended(typing_extensions.TypedDict):
    a: int


ERROR = ValueError("x")


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (int, True, 1.0), (float, 3, "3"), (date, datetime(2026, 1, 1), "2026-01-01"), (str | None, None, b"x"),
        (list[int], [1], (1,)), (list[int], [], ["1"]), (dict[str, int], {"a": 1}, {1: 1}),
        (Literal[1, "a"], "a", True),
        (int | str, "x", None), (tuple[int, str], (1, "a"), (1, 2)), (Sequence[int], (1,), {1}), (Path | int, 1, "x"),
    ],
)  # fmt: skip
def test_strict_checks_what_travels_by_itself(annotation: Any, right: Any, wrong: Any) -> None:
    shape = Shapes(strict=True).of(annotation)

    assert shape.convert("write", right) == right
    assert shape.convert("read", right) == right
    with pytest.raises(Misfit):
        shape.convert("read" if annotation == Path | int else "write", object() if wrong == "x" else wrong)


@pytest.mark.parametrize(
    ("annotation", "value"), [(Iterable[Line], {LINE}), (dict[tuple[Line, int], int], {(LINE, 1): 1})]
)
def test_plain_data_that_has_no_hash_is_refused_at_the_call(annotation: Any, value: Any) -> None:
    with pytest.raises(Misfit, match="does not take it: TypeError"):
        Shapes(strict=False).of(annotation).convert("write", value)


@dataclass
class Inherited(Base[Line], Generic[T]):
    own: list[T] = field(default_factory=list)


class Letter(enum.Enum):
    A = "a"


class Generics(msgspec.Struct, Generic[T]):
    x: T


def test_type_variables_are_followed_into_bases() -> None:
    shape = Shapes(strict=False).of(Inherited[Path])

    plain = shape.convert("write", Inherited(LINE, [Path("a")]))

    assert plain["own"] == ["a"]
    assert shape.convert("read", plain) == Inherited(LINE, [Path("a")])


@pytest.mark.parametrize(
    ("annotation", "value", "plain"),
    [
        (Asked, 1, 1), (numbers.Number, 1, 1), (Exception, ERROR, ERROR), (list[KeyError], [ERROR], [ERROR]),
        (Path | str, "x", "x"), (Order | dict[str, Any], {}, {}), (Order | Any, 1, 1),
        (list[int] | list[str], ["a"], ["a"]), (dict[str, int] | dict[str, str], {"a": "b"}, {"a": "b"}),
        (Order | Exception, ERROR, ERROR), (Extended, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (Final[Path], Path("a"), "a"), (Generics[Letter], Generics(Letter.A), {"x": "a"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("strict", [False, True])
def test_each_of_these_is_taken(annotation: Any, value: Any, plain: Any, strict: bool) -> None:
    shape = Shapes(strict).of(annotation)

    assert shape.convert("write", value) == plain
    assert shape.convert("read", plain) == value


@pytest.mark.parametrize("wrong", [(int, str, int), ("Order", str, str), (Order, None, str)])
def test_declare_type_takes_a_class_and_two_functions(wrong: Any) -> None:
    with pytest.raises(SettingsMistake, match="give a class that does not travel by itself, and two functions"):
        declare_type(*wrong)
