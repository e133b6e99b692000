"""What a shape is, and those of single values: enums, paths, and classes with functions of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Literal, TypeAlias

from ...errors import EncodingError, SettingsMistake
from .. import sendable

Way: TypeAlias = Literal["write", "read"]
"""From a value to its plain data, or back."""
Convert: TypeAlias = Callable[[Any], Any]
ANYTHING: frozenset[type] = frozenset({object})


class Misfit(Exception):
    """A value, or plain data, that is not of its shape. Neither the text nor `where` it is shows any value."""

    where = ""


def _same(value: Any) -> Any:
    return value


@dataclass(eq=False)
class Shape:
    """How values of one annotation become plain data, and values again."""

    name: str
    kinds: frozenset[type]
    """The types that its values have."""
    forms: frozenset[type]
    """The types that their plain data have."""
    write: Convert = _same
    read: Convert = _same
    converts: bool = True
    """False: it is not looked at."""
    is_native: bool = False
    """It travels by itself."""

    @property
    def has_no_hash(self) -> bool:
        """Its plain data cannot be a key of a dict, or in a set."""
        return self.converts and not self.forms.isdisjoint((dict, list, set, object))

    def convert(self, way: Way, value: Any) -> Any:
        """The other side of a value, or of plain data; what is plain already stays so. Misfit for what is neither."""
        kind = type(value)
        taken, change = (self.kinds, self.write) if way == "write" else (self.forms, self.read)
        if not self.converts or kind in taken or taken is ANYTHING:
            return change(value)
        if way == "write" and (kind in self.forms or self.forms is ANYTHING):
            return value
        if isinstance(value, tuple(self.kinds)):
            raise Misfit(f"a {kind.__qualname__} would arrive as {self.name}: annotate it with {kind.__qualname__}")
        raise Misfit(f"{self.name} is expected, not {kind.__qualname__}")

    def at(self, place: str, way: Way, value: Any) -> Any:
        """The same for what is inside another value, at this place."""
        try:
            return self.convert(way, value)
        except Misfit as misfit:
            misfit.where = place + misfit.where
            raise


def as_it_is(cls: Any, forms: frozenset[type], *, strict: bool = False) -> Shape:
    """What travels by itself: not looked at, or checked."""
    return Shape(getattr(cls, "__qualname__", "Any"), forms, forms, converts=strict, is_native=True)


def via(cls: Any, to_plain: Convert, from_plain: Convert, forms: frozenset[type] = ANYTHING) -> Shape:
    """A class whose values become plain data, and values again, by two functions."""
    return Shape(
        cls.__qualname__, frozenset({cls}), forms, partial(tried, cls, to_plain), partial(tried, cls, from_plain)
    )


def tried(cls: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of the application returns; for what it raises a Misfit, which does not show its text."""
    try:
        return function(*args, **kwargs)
    except Misfit:
        raise
    except Exception as error:
        raise Misfit(f"{cls.__qualname__} does not take it: {type(error).__name__}") from error


def enum(cls: Any) -> Shape:
    """Members travel as their values; by their names if a value could not travel."""
    make, of, forms = cls, "value", frozenset(type(member.value) for member in cls) or frozenset({int})
    try:
        sendable.check_all([member.value for member in cls])
    except EncodingError:
        make, of, forms = cls.__getitem__, "name", frozenset({str})

    def read(plain: Any) -> Any:
        try:
            return make(plain)
        except Exception:  # its text shows the value
            raise Misfit(f"it is that of no {cls.__qualname__}") from None

    return Shape(cls.__qualname__, frozenset({cls}), forms, attrgetter(of), read)


DECLARED: dict[type, tuple[Convert, Convert]] = {}


def declare_type(cls: type, to_plain: Convert, from_plain: Convert) -> None:
    """Let values of *cls* travel where a parameter or a result is annotated with it: as what *to_plain* makes of one.

    Declare it before the tasks. *to_plain* returns plain data, of which *from_plain* makes an equal value.
    """
    if not isinstance(cls, type) or cls in sendable.LEAVES or not (callable(to_plain) and callable(from_plain)):
        raise SettingsMistake("declare_type(): give a class that does not travel by itself, and two functions")
    DECLARED[cls] = to_plain, from_plain
