"""Values for options, by the kind of option: what is taken, and what is refused. The tables of doors use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from numbers import Integral, Real
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import SettingsMistake


class Scalar:
    """A number of another library: it can become a float, and says that it is a number, as numpy's do."""

    def __float__(self) -> float:
        return 2.5


class Whole:
    """The same of whole numbers."""

    def __int__(self) -> int:
        return 3


Real.register(Scalar)
Integral.register(Whole)


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Unwilling(float):
    def __float__(self) -> float:
        raise RuntimeError("no float")


class Nowhere(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise RuntimeError("no offset")


LONG = "x" * 1_000_000
ODD: list[Any] = [b"5", [5], {}, object(), Broken(), lambda: 5, int]
NOT_FINITE = [nan, inf, -inf, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), 10**400, 1e300, -1e300,
              10**5_000, Unwilling(1)]  # fmt: skip
SOME_NAME = ["mail", "照片", "a b", "x" * 512]
ODD_NAMES = ["", LONG, "a\nb", "a\x00", "a\x1b[31m", "\u202e", "\ud800"]


@dataclass(frozen=True)
class Kind:
    """A kind of option. `right` are values that are taken, with what they mean."""

    right: list[tuple[Any, Any]]
    wrong: list[Any] = field(default_factory=list)

    def or_none(self) -> Kind:
        return Kind([*self.right, (None, None)], [value for value in self.wrong if value is not None])

    def but(self, *wrong: Any) -> Kind:
        """The same without right values that are too small here, such as 0."""
        return Kind([row for row in self.right if row[0] not in wrong], [*self.wrong, *wrong])


def same(*values: Any) -> list[tuple[Any, Any]]:
    return [(value, value) for value in values]


SECONDS = Kind(
    [
        *same(0, 5, 0.25, 1e9),
        (timedelta(seconds=2), 2.0), (Decimal("0.5"), 0.5), (Fraction(1, 2), 0.5), (Scalar(), 2.5),
    ],
    ["5", "", "5 s", LONG, True, None, *NOT_FINITE, timedelta.max, date.today(), 5j, *ODD],
)  # fmt: skip
"""A number of seconds that may be 0."""
NOT_NEGATIVE = SECONDS.but(-1, -0.5, timedelta(seconds=-1))
ABOVE_ZERO = NOT_NEGATIVE.but(0)
COUNT = Kind([*same(1, 7), (Whole(), 3)], ["3", "", LONG, True, None, 2.5, 3.0, -1, 2**80, *NOT_FINITE, *ODD])
FLAG = Kind(same(True, False), ["yes", "", "false", 0, 1, 2.5, None, *ODD])
NAME = Kind(same(*SOME_NAME), [*ODD_NAMES, "a,b", 5, True, None, *ODD])
ID = Kind([*same(*SOME_NAME, "a,b"), (UUID(int=7), str(UUID(int=7)))], [*ODD_NAMES, 5, True, None, *ODD])
BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = Kind(
    same(datetime(2040, 1, 1), datetime(2040, 1, 1, tzinfo=UTC), datetime(2040, 7, 1, tzinfo=BERLIN),
         datetime(2040, 1, 1, tzinfo=timezone(timedelta(hours=5.5))), datetime.max.replace(tzinfo=UTC)),
    ["2030-01-01T00:00", "", LONG, 5, 5.5, nan, inf, True, None, date.today(), timedelta(1), datetime.min,
     datetime(2040, 1, 1, tzinfo=Nowhere()), *ODD],
)  # fmt: skip
WHEN = Kind([*SECONDS.right, *MOMENT.right], [value for value in SECONDS.wrong if value is not None])
EXCEPTIONS = Kind(
    [((OSError,), (OSError,)), ([OSError], (OSError,)), ({OSError}, (OSError,)), (OSError, (OSError,)), ((), ())],
    ["OSError", ["OSError"], OSError("no class"), (OSError, int), int, 5, True, None, object()],
)


class Pytz(tzinfo):
    """A zone as pytz has them: its clock shows local mean time unless it is helped."""

    zone = "Europe/Berlin"

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(minutes=53)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return "LMT"

    def fromutc(self, moment: datetime) -> datetime:
        return moment.astimezone(BERLIN)


FIXED = timezone(timedelta(hours=2))
ZONE = Kind(
    [("Europe/Berlin", BERLIN), *same(BERLIN, UTC, FIXED), (Pytz(), BERLIN)],
    ["Europe/Nowhere", "", LONG, "../../etc/passwd", "Europe", "a\x00", 2, True, timedelta(hours=2), object()],
)


async def some_function(ctx: Any) -> None: ...


HOOK = Kind(same(some_function, None), ["some_function", 5, True, [some_function]])


def refused_everywhere(door: Callable[..., Any], option: str, kind: Kind) -> None:
    for value in kind.wrong:
        with pytest.raises(SettingsMistake) as refused:
            door(**{option: value})
        text = str(refused.value)
        assert option in text or option == "cron_jobs"
        assert 10 < len(text) < 300
        assert text.isprintable()
