"""Shapes: of a class whose values two functions convert, of what has values inside, and of classes with fields."""

import contextlib
import dataclasses
import inspect
import sys
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from itertools import combinations, product, repeat
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


KINDS: Mapping[Any, frozenset[type]] = {
    **{kind: frozenset({kind}) for kind in (list, tuple, set, frozenset)},
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping), frozenset({dict})),
    **dict.fromkeys((abc.Collection, abc.Iterable), frozenset({list, tuple, set, frozenset})),
    **{abc.Sequence: frozenset({list, tuple}), abc.MutableSequence: frozenset({list})},
    **{abc.Set: frozenset({set, frozenset}), abc.MutableSet: frozenset({set})},
}
"""Annotations of what holds values, with the types that travel."""


def several(cls: Any, shapes: Sequence[Shape], *, is_fixed: bool) -> Shape:
    """Values of one shape, or of one for each place."""

    def each(way: Way, values: Any) -> Any:
        if is_fixed and len(values) != len(shapes):
            raise Misfit(f"a tuple of {len(shapes)} is expected, not of {len(values)}")
        pairs = zip(shapes if is_fixed else repeat(shapes[0]), values, strict=False)
        made = [shape.at(f"[{n}]", way, value) for n, (shape, value) in enumerate(pairs)]
        kind = type(values)
        return made if kind is list else tried(kind, kind, made)

    return Shape(cls.__name__, KINDS[cls], KINDS[cls], each, rebuilds=any(shape.rebuilds for shape in shapes))


def entries(key: Shape, value: Shape) -> Shape:
    """A dict."""

    def each(way: Way, values: Any) -> Any:
        pairs = ((f"[{name!r:.40}]", name, own) for name, own in values.items())
        return tried(dict, dict, ((key.at(place, way, name), value.at(place, way, own)) for place, name, own in pairs))

    return Shape("dict", KINDS[dict], KINDS[dict], each, rebuilds=key.rebuilds or value.rebuilds)


def union(shapes: Sequence[Shape]) -> Shape:
    """One of several shapes: the type of the value, or of its plain data, tells which."""
    rebuilt, natives = ([shape for shape in shapes if shape.rebuilds is wanted] for wanted in (True, False))
    if any(_are_alike(one, other) for one, other in product(rebuilt, natives)):
        return ANY  # `Path | str`: what travels by itself, as ever
    for one, other in combinations(rebuilt, 2):
        if _are_alike(one, other):
            raise SettingsMistake(f"the plain data of {one.name} and of {other.name}, in a union, look the same")
    shapes = sorted(shapes, key=lambda shape: object in shape.forms)

    def one_of(way: Way, value: Any) -> Any:
        *others, last = (shape for shape in shapes if shape.takes(way, value))
        for shape in others:  # such as `list[int] | list[str]` where all is checked
            with contextlib.suppress(Misfit):
                return shape.convert(way, value)
        return last.convert(way, value)

    kinds, forms = (frozenset[type]().union(*(getattr(shape, of) for shape in shapes)) for of in ("kinds", "forms"))
    name, looked_at = " or ".join(shape.name for shape in shapes), any(shape.looked_at for shape in shapes)
    return Shape(name, kinds, forms, one_of, bool(rebuilt), looked_at)


def _are_alike(one: Shape, other: Shape) -> bool:
    both = one.forms | other.forms
    return bool(one.forms & other.forms) or (both >= ANYTHING and not both - ANYTHING <= {type(None)})


Fields: TypeAlias = dict[str, tuple[str, bool]]  # By name: what the constructor calls it, or ''; is it needed?


def fields_of(cls: type[Any]) -> Fields | None:
    """The fields of such a class; None for another."""
    if hasattr(cls, "__attrs_attrs__"):
        found, nothing = cls.__attrs_attrs__, sys.modules["attr"].NOTHING
        return {one.name: (one.alias * one.init, one.init and one.default is nothing) for one in found}
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return {name: (name, name not in cls._field_defaults) for name in cls._fields}  # type: ignore[attr-defined]
    if not dataclasses.is_dataclass(cls):
        return None
    of_class: Any = dataclasses.fields(cls)
    for name in inspect.signature(cls).parameters.keys() ^ {one.name for one in of_class if one.init}:
        why = f"{name!r} is not kept in it (InitVar, or an __init__ of its own), so that nothing can rebuild it"
        raise SettingsMistake(f"{cls.__qualname__}: {why}: use declare_type({cls.__qualname__}, to_plain, from_plain)")
    needed = {one.name for one in of_class if one.init and MISSING is one.default is one.default_factory}
    return {one.name: (one.name * one.init, one.name in needed) for one in of_class}


def record(cls: Any, fields: Fields, shapes: Mapping[str, Shape]) -> Shape:
    """*shapes*: of the fields, once known. What is no field is left out, a missing one has its default."""

    def change(way: Way, value: Any) -> Any:
        if way == "read":
            return rebuilt(value if type(value) is dict else dict(zip(fields, value, strict=False)))  # a NamedTuple's
        found = ((name, getattr(value, name, MISSING)) for name in fields)
        return {name: shapes[name].at(f".{name}", way, own) for name, own in found if own is not MISSING}

    def rebuilt(plain: dict[str, Any]) -> Any:
        given, later = dict[str, Any](), dict[str, Any]()
        for name, (given_as, is_needed) in fields.items():
            if name in plain:
                own = shapes[name].at(f".{name}", "read", plain[name])
                (given if given_as else later)[given_as or name] = own
            elif is_needed:
                raise Misfit(f"its {name!r} is missing and has no default")
        made = tried(cls, cls, **given)
        for name, own in later.items():
            object.__setattr__(made, name, own)
        return made

    forms = {dict, tuple, list} if issubclass(cls, tuple) else {dict}
    return Shape(cls.__qualname__, frozenset({cls}), frozenset(forms), change)
