"""Shapes of what holds other values: lists, tuples, sets, dicts, and one of several types."""

from collections import abc
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from .shape import ANYTHING, Misfit, Shape, Way

KINDS: Mapping[Any, frozenset[type]] = {
    **{kind: frozenset({kind}) for kind in (list, tuple, set, frozenset)},
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping), frozenset({dict})),
    **dict.fromkeys((abc.Collection, abc.Iterable), frozenset({list, tuple, set, frozenset})),
    **{abc.Sequence: frozenset({list, tuple}), abc.MutableSequence: frozenset({list})},
    **{abc.Set: frozenset({set, frozenset}), abc.MutableSet: frozenset({set})},
}
"""Annotations of what holds values, with the types that travel."""


def several(cls: Any, shapes: Sequence[Shape], *, is_fixed: bool) -> Shape:
    """Values of one shape, or of one for each place. A set of what has no hash as plain data is a list there."""
    kinds = KINDS[cls]
    is_listed = kinds <= {set, frozenset} and shapes[0].has_no_hash

    def each(way: Way, values: Any) -> Any:
        if is_fixed and len(values) != len(shapes):
            raise Misfit(f"a tuple of {len(shapes)} is expected, not of {len(values)}")
        kind = type(values)
        if is_listed:
            kind = list if way == "write" else set if set in kinds else frozenset
        pairs = zip(shapes if is_fixed else repeat(shapes[0]), values, strict=False)
        made = [shape.at(f"[{n}]", way, value) for n, (shape, value) in enumerate(pairs)]
        try:
            return made if kind is list else kind(made)
        except TypeError:
            raise Misfit("what is in a set must have a hash") from None

    return _both(cls.__name__, kinds, KINDS[list] if is_listed else kinds, each)


def entries(key: Shape, value: Shape) -> Shape:
    """A dict."""

    def each(way: Way, values: Any) -> Any:
        pairs = ((f"[{name!r:.40}]", name, own) for name, own in values.items())
        return {key.at(place, way, name): value.at(place, way, own) for place, name, own in pairs}

    return _both("dict", KINDS[dict], KINDS[dict], each)


def choice(shapes: Sequence[Shape], others: frozenset[type]) -> Shape:
    """One of several shapes: the type of the plain data tells which. *others* stay as they are: None, and what is not
    looked at."""

    def one_of(way: Way, value: Any) -> Any:
        for shape in shapes:
            if type(value) in (shape.kinds if way == "write" else shape.forms):
                return shape.convert(way, value)
        return value if type(value) in others else shapes[-1].convert(way, value)  # which may take anything

    forms, kinds = (others.union(*(getattr(shape, of) for shape in shapes)) for of in ("forms", "kinds"))
    name = " or ".join(shape.name for shape in shapes)
    return _both(name, kinds, ANYTHING if forms >= ANYTHING else forms, one_of)


def _both(name: str, kinds: Any, forms: Any, change: Callable[[Way, Any], Any]) -> Shape:
    return Shape(name, kinds, forms, partial(change, "write"), partial(change, "read"))
