"""What a shape is, and that of a class whose values two functions convert."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ...errors import SettingsMistake
from ..sendable import LEAVES

Way: TypeAlias = Literal["write", "read"]  # From a value to its plain data, or back.
Convert: TypeAlias = Callable[[Any], Any]
ANYTHING: frozenset[type] = frozenset({object})


class Misfit(Exception):
    """A value, or plain data, that is not of its shape. Neither the text nor `where` it is shows any value."""

    where = ""


@dataclass(eq=False)
class Shape:
    """How values of one annotation become plain data, and values again."""

    name: str
    kinds: frozenset[type]  # The types that its values have; BaseException is any exception.
    forms: frozenset[type]  # The types that their plain data have.
    change: Callable[[Way, Any], Any] = lambda way, value: value
    rebuilds: bool = True  # False: its values travel by themselves.
    looked_at: bool = True

    def takes(self, way: Way, value: Any) -> bool:
        taken = self.kinds if way == "write" else self.forms
        return (
            type(value) in taken or taken >= ANYTHING or (BaseException in taken and isinstance(value, BaseException))
        )

    def convert(self, way: Way, value: Any) -> Any:
        """The other side of a value, or of plain data; what is plain already stays so. Misfit for what is neither."""
        if not self.looked_at:
            return value
        if self.takes(way, value):
            return self.change(way, value)
        if way == "write" and self.takes("read", value):
            return value
        kind = type(value).__qualname__
        if isinstance(value, tuple(self.kinds)):
            raise Misfit(f"a {kind} would arrive as {self.name}: annotate it with {kind}")
        raise Misfit(f"{self.name} is expected, not {kind}")

    def at(self, place: str, way: Way, value: Any) -> Any:
        """The same for what is inside another value, at this place."""
        try:
            return self.convert(way, value)
        except Misfit as misfit:
            misfit.where = place + misfit.where
            raise


ANY = Shape("Any", ANYTHING, ANYTHING, rebuilds=False, looked_at=False)


def via(
    cls: Any, to_plain: Convert, from_plain: Convert, forms: frozenset[type] = ANYTHING, kind: type | None = None
) -> Shape:
    """A class with two functions. *kind*: the type of its values, if it is another one."""

    def change(way: Way, value: Any) -> Any:
        return tried(cls, to_plain if way == "write" else from_plain, value)

    return Shape(cls.__qualname__, frozenset({kind or cls}), forms, change)


def tried(cls: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of the application returns; for what it raises a Misfit, as its text may show the value."""
    try:
        return function(*args, **kwargs)
    except Misfit:
        raise
    except Exception as error:
        raise Misfit(f"{cls.__qualname__} does not take it: {type(error).__name__}") from None


DECLARED: dict[type, tuple[Convert, Convert]] = {}


def declare_type(cls: type, to_plain: Convert, from_plain: Convert) -> None:
    """Let values of *cls* travel where a parameter or a result is annotated with it: as what *to_plain* makes of one.

    Declare it before the tasks. *to_plain* returns plain data, of which *from_plain* makes an equal value.
    """
    if not isinstance(cls, type) or cls in LEAVES or not (callable(to_plain) and callable(from_plain)):
        raise SettingsMistake("declare_type(): give a class that does not travel by itself, and two functions")
    DECLARED[cls] = to_plain, from_plain
