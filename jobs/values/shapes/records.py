"""Shapes of classes with fields: dataclasses, attrs classes and NamedTuples travel as dicts of them."""

import dataclasses
import inspect
import sys
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias

from ...errors import SettingsMistake
from .shape import Misfit, Shape, Way, tried

Fields: TypeAlias = dict[str, tuple[str, bool]]
"""By name: what the constructor calls it, '' if it does not take it; and must it be given?"""


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
