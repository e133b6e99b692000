"""docs/arguments.md says what travels: each of its types is tried."""

from __future__ import annotations

import collections
import doctest
import enum
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from jobs import encoding
from jobs.contrib.remedies import remedy
from jobs.encoding import dumps, loads
from jobs.errors import EncodingError
from jobs.store.store import SIZE_LIMIT
from jobs.values.sendable import LEAVES
from jobs.values.shapes.annotations import Shapes
from settings import ROOT
from tests.documents import as_in_the_clone
from tests.jobs import annotated_tasks as tasks
from tests.jobs.annotated_tasks import Box, Line
from tests.jobs.example_values import Colour, Int, Name, Pair, Point, Real, Text
from tests.registered_tasks import forget

PAGE = as_in_the_clone(ROOT / "docs/arguments.md")


def column(heading: str, number: int) -> list[str]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")][2:]
    return [row[number].strip() for row in rows]


COMING = {
    "None": None, "bool": True, "float": 1.5, "complex": 1j, "int": 10**4_299, "str": "早", "bytes": b"\xff",
    "list": [1], "dict": {(1, 2): 3}, "tuple": (1,), "set": {1}, "frozenset": frozenset({1}),
    "datetime": datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "date": date(2026, 1, 1), "time": time(1),
    "timedelta": timedelta(1), "decimal.Decimal": Decimal("1.10"), "uuid.UUID": UUID(int=7),
}  # fmt: skip
OTHERS: dict[str, Any] = {
    "enum.Enum": enum.Enum("E", "A").A,  # type: ignore[attr-defined]  # made here
    "IntEnum": Colour.RED, "StrEnum": Name.ANN, "a dataclass": Point(1), "namedtuple": Pair(1, 2),
    "OrderedDict": collections.OrderedDict(a=1), "defaultdict": collections.defaultdict(int),
    "Counter": collections.Counter("a"), "deque": collections.deque([1]), "range": range(3),
    "a generator": (n for n in [1]), "bytearray": bytearray(b"a"), "memoryview": memoryview(b"a"),
    "int": Int(1), "float": Real(1), "str": Text("a"), "pathlib.Path": Path("/tmp"), "Fraction": Fraction(1, 2),
    "ZoneInfo": ZoneInfo("Europe/Berlin"), "a function or class": open, "anything else": object(),
}  # fmt: skip


def words(cells: list[str]) -> set[str]:
    return {word for cell in cells for word in re.findall(r"`([\w.]+)`", cell)}


ANNOTATED = {
    "dataclass": Line, "attrs": Box, "NamedTuple": tasks.Pair, "Enum": tasks.Colour,
    "IntEnum": tasks.Size, "StrEnum": Name, "Flag": tasks.Rights, "Path": Path, "PurePath": PurePath,
    "Struct": tasks.Struct, "pydantic": tasks.Model, "declare_type": tasks.Money,
}  # fmt: skip


def test_each_type_that_travels_by_its_annotation_is_known() -> None:
    cells = " ".join(column("What travels by its annotation", 1))

    assert not [name for name in ANNOTATED if not re.search(rf"\b{name}\b", cells)]
    assert [name for name, cls in ANNOTATED.items() if not Shapes(strict=False).of(cls).looked_at] == []


def test_each_type_of_the_page_travels_and_no_other() -> None:
    assert words(column("What arrives unchanged", 1)) == set(COMING)
    assert {type(value) for value in COMING.values()} >= {kind for kind in LEAVES if kind.__module__ != "msgpack.ext"}
    for value in COMING.values():
        back = loads(dumps(value))
        assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize("name", OTHERS)
def test_each_other_type_is_refused_with_the_words_of_the_page(name: str) -> None:
    rows = zip(
        column("What to pass instead of other types", 1), column("What to pass instead of other types", 2), strict=True
    )
    instead = next(cell for kinds, cell in rows if name in re.split(r", |`|^a subclass of ", kinds) or name in kinds)
    value = OTHERS[name]

    with pytest.raises(EncodingError) as caught:
        dumps(value)

    said = remedy(value)
    assert said in str(caught.value)
    said = said.removesuffix(", or annotate the parameter or the result with its class")
    assert said.replace("`", "") in instead.replace("`", "") or said in words([instead]) or instead == said


@pytest.mark.parametrize(
    ("name", "kind", "instead"),
    [
        ("numpy array", {"tolist", "item", "dtype", "shape", "__getitem__", "__len__"}, "x.tolist()"),
        ("numpy scalar", {"item", "dtype"}, "x.item()"),
        ("pandas timestamp", {"to_pydatetime"}, "x.to_pydatetime()"),
        ("pydantic model", {"model_dump"}, "x.model_dump()"),
        ("pandas frame", {"to_dict"}, "x.to_dict()"),
        ("attrs class", {"__attrs_attrs__"}, "attrs.asdict(x)"),
        ("msgspec struct", {"__struct_fields__"}, "msgspec.structs.asdict(x)"),
    ],
)
def test_types_of_other_libraries_are_known_by_what_they_have(name: str, kind: set[str], instead: str) -> None:
    value = type(name, (), dict.fromkeys(kind))()

    with pytest.raises(EncodingError, match=re.escape(instead)):
        dumps(value)
    assert instead in PAGE


def test_the_dialogue_of_the_page() -> None:
    example = doctest.DocTestParser().get_doctest(PAGE, {}, "arguments.md", None, None)

    try:
        assert doctest.DocTestRunner().run(example) == (0, len(example.examples))
    finally:
        forget("docs.resize")
        forget("docs.show")


def test_the_figures_of_the_page() -> None:
    for figure in (
        f"{SIZE_LIMIT:,} bytes", f"{encoding.LARGEST // 1024**2} MB", f"at most {encoding.DEPTH} levels deep",
        f"{encoding.DIGITS:,} digits",
    ):  # fmt: skip
        assert figure in PAGE
