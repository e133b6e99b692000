"""Shapes of what holds other values: lists, tuples, sets, dicts, and one of several types."""

import contextlib
from collections import abc
from collections.abc import Mapping, Sequence
from itertools import combinations, product, repeat
from typing import Any

from ...errors import SettingsMistake
from .shape import ANY, ANYTHING, Misfit, Shape, Way, tried

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
