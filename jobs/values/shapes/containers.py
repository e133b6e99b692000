"""Shapes of what holds other values: lists, tuples, sets, dicts, and one of several types."""

from collections import abc
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, NotRequired, Required, get_origin

from .shape import Misfit, Shape, Way, tried

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

    return Shape(cls.__name__, KINDS[cls], KINDS[cls], each, rebuilds=_any_rebuilds(shapes))


def entries(key: Shape, value: Shape) -> Shape:
    """A dict."""

    def each(way: Way, values: Any) -> Any:
        pairs = ((f"[{name!r:.40}]", name, own) for name, own in values.items())
        return tried(dict, dict, ((key.at(place, way, name), value.at(place, way, own)) for place, name, own in pairs))

    return Shape("dict", KINDS[dict], KINDS[dict], each, rebuilds=_any_rebuilds([key, value]))


def typed_dict(cls: Any, hints: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Shape:
    """A TypedDict: a dict, whose other keys stay as they are. *shapes*: by key, once known."""
    marks = {name: get_origin(hint) for name, hint in hints.items()}  # in what was text the class has not found them
    needed = [
        name
        for name, mark in marks.items()
        if mark is Required or (mark is not NotRequired and name in cls.__required_keys__)
    ]

    def each(way: Way, values: Any) -> Any:
        for name in needed:
            if name not in values:
                raise Misfit(f"its {name!r} is missing")
        return {name: shapes[name].at(f".{name}", way, own) if name in shapes else own for name, own in values.items()}

    return Shape(cls.__qualname__, KINDS[dict], KINDS[dict], each)


def choice(shapes: Sequence[Shape]) -> Shape:
    """One of several shapes: the type of the value, or of its plain data, tells which."""
    shapes = sorted(shapes, key=lambda shape: object in shape.forms)

    def one_of(way: Way, value: Any) -> Any:
        *others, last = (shape for shape in shapes if shape.takes(way, value))
        for shape in others:  # such as `list[int] | list[str]` where all is checked
            try:
                return shape.convert(way, value)
            except Misfit:
                continue
        return last.convert(way, value)

    kinds, forms = (frozenset[type]().union(*(getattr(shape, of) for shape in shapes)) for of in ("kinds", "forms"))
    name, looked_at = " or ".join(shape.name for shape in shapes), any(shape.looked_at for shape in shapes)
    return Shape(name, kinds, forms, one_of, _any_rebuilds(shapes), looked_at)


def _any_rebuilds(shapes: Sequence[Shape]) -> bool:
    return any(shape.rebuilds for shape in shapes)
