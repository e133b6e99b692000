"""Shapes of classes with fields: dataclasses, attrs classes, NamedTuples and TypedDicts travel as dicts of them."""

import dataclasses
import inspect
import sys
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias, is_typeddict

from ...errors import SettingsMistake
from .shape import Misfit, Shape, tried

Fields: TypeAlias = dict[str, tuple[str, bool]]
"""By name: what the constructor calls it, '' if it does not take it; and must it be given?"""


def fields_of(cls: Any) -> Fields | None:
    """The fields of such a class; None for another."""
    if is_typeddict(cls):
        return {name: (name, name in cls.__required_keys__) for name in cls.__annotations__}
    if not isinstance(cls, type):
        return None
    if hasattr(cls, "__attrs_attrs__"):
        found, nothing = cls.__attrs_attrs__, sys.modules["attr"].NOTHING
        return {one.name: (one.alias * one.init, one.init and one.default is nothing) for one in found}
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return {name: (name, name not in cls._field_defaults) for name in cls._fields}  # type: ignore[attr-defined]
    if not dataclasses.is_dataclass(cls):
        return None
    of_class: Any = dataclasses.fields(cls)
    for name in inspect.signature(cls).parameters.keys() - {one.name for one in of_class if one.init}:
        why = f"{name!r} is not kept in it (InitVar, or an __init__ of its own), so that nothing can rebuild it"
        raise SettingsMistake(f"{cls.__qualname__}: {why}: use declare_type({cls.__qualname__}, to_plain, from_plain)")
    needed = {one.name for one in of_class if one.init and MISSING is one.default is one.default_factory}
    return {one.name: (one.name * one.init, one.name in needed) for one in of_class}


def record(cls: Any, fields: Fields, shapes: Mapping[str, Shape]) -> Shape:
    """*shapes*: of the fields, once known. What is no field is left out, a missing one has its default."""
    get: Any = dict.get if is_typeddict(cls) else getattr

    def written(value: Any) -> dict[str, Any]:
        found = ((name, get(value, name, MISSING)) for name in fields)
        return {name: shapes[name].at(f".{name}", "write", own) for name, own in found if own is not MISSING}

    def rebuilt(plain: Any) -> Any:
        if type(plain) is not dict:  # the values of a NamedTuple
            plain = dict(zip(fields, plain, strict=False))
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

    is_named = not is_typeddict(cls) and issubclass(cls, tuple)
    kinds, forms = {dict if is_typeddict(cls) else cls}, {dict, tuple, list} if is_named else {dict}
    return Shape(cls.__qualname__, frozenset(kinds), frozenset(forms), written, rebuilt)
