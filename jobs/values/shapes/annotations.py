"""From annotations to shapes. What contains no type that needs one is not looked at."""

from abc import ABCMeta
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from enum import Enum
from importlib import import_module
from operator import attrgetter
from pathlib import PurePath
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union

from typing import get_args, get_origin, get_type_hints  # isort: skip

from ...errors import EncodingError, SettingsMistake
from ..sendable import LEAVES, RECORDS, check_all
from .shape import ANY, DECLARED, KINDS, Fields, Misfit, Shape, Way, entries, fields_of, record, several, union, via

_ALSO: Mapping[Any, set[type]] = {int: {bool}, float: {int, bool}, complex: {float, int, bool}, date: {datetime}}
"""What type checkers take for a type, too."""


class Shapes:
    """The shapes of the types in one annotation. *strict*: what travels by itself is checked."""

    def __init__(self, strict: bool) -> None:
        self._strict, self._made = strict, dict[Any, Shape]()

    def of(self, annotation: Any) -> Shape:
        """SettingsMistake for one that plain data cannot carry; NameError for fields of unknown types."""
        annotation = _bare(annotation)
        cls, args = get_origin(annotation) or annotation, get_args(annotation)
        if cls in (Union, UnionType):
            return union([self.of(member) for member in args])
        if cls is Literal:
            return union([self._literal(kind, args) for kind in {*map(type, args)}])
        if cls in KINDS:
            return self._container(cls, args)
        if annotation not in self._made:
            self._made[annotation] = self._of_class(cls, annotation)
        return self._made[annotation]

    def _of_class(self, cls: Any, annotation: Any) -> Shape:
        if cls in LEAVES or cls in RECORDS:
            return self._native(cls, {cls, *_ALSO.get(cls, ())})
        if cls in DECLARED:
            return via(cls, *DECLARED[cls])
        if hasattr(cls, "__struct_fields__") or (hasattr(cls, "model_dump") and hasattr(cls, "model_validate")):
            models = import_module("...contrib.models", __package__)
            return models.shape(cls, annotation)  # type: ignore[no-any-return]
        if not isinstance(cls, type) or cls is Any:
            return ANY
        if issubclass(cls, BaseException):
            return self._native(cls, {BaseException})
        if issubclass(cls, Enum) and len(cls):
            return _enum(cls)
        if issubclass(cls, PurePath):
            return via(cls, str, cls, frozenset({str}), type(cls()))  # a Path is a PosixPath
        if (fields := fields_of(cls)) is not None:
            return self._record(cls, fields, annotation)
        if hasattr(cls, "__required_keys__"):  # a TypedDict
            return self._native(cls, {dict})
        return ANY if isinstance(cls, ABCMeta) else self._native(cls, {cls})

    def _native(self, cls: Any, kinds: Iterable[Any]) -> Shape:
        """Of what travels by itself."""
        forms = frozenset(kinds)
        return Shape(cls.__name__, forms, forms, rebuilds=False, looked_at=self._strict)

    def _record(self, cls: Any, fields: Fields, annotation: Any) -> Shape:
        hints, types = get_type_hints(cls, include_extras=True), _type_arguments(cls, get_args(annotation))
        shapes = dict[str, Shape]()
        self._made[annotation] = made = record(cls, fields, shapes)  # before its fields, which may have it
        for name in fields:
            owner = next((one for one in cls.__mro__ if name in vars(one).get("__annotations__", ())), cls)
            shapes[name] = self.of(_substituted(hints.get(name, Any), types.get(owner, {})))
        return made

    def _container(self, cls: Any, args: tuple[Any, ...]) -> Shape:
        shapes = [self.of(arg) for arg in args if arg is not ...] or [ANY, ANY]
        if not self._strict and not any(shape.looked_at for shape in shapes):
            return self._native(cls, KINDS[cls])
        has_no_hash = shapes[0].rebuilds and not shapes[0].forms.isdisjoint((dict, list, set, object))
        if has_no_hash and KINDS[cls] <= {dict, set, frozenset}:
            raise SettingsMistake(f"{shapes[0].name} cannot be a key of a dict or in a set: its plain data has no hash")
        if KINDS[cls] == {dict}:
            return entries(*shapes)
        return several(cls, shapes, is_fixed=cls is tuple and args != () and ... not in args)

    def _literal(self, kind: type, values: tuple[Any, ...]) -> Shape:
        """Of those among the values of a Literal that are of this type."""

        def allowed(way: Way, value: Any) -> Any:
            if value not in [one for one in values if type(one) is kind]:
                raise Misfit("it is none of the values that are allowed")
            return value

        return self.of(kind) if issubclass(kind, Enum) else replace(self._native(kind, {kind}), change=allowed)


def _enum(cls: Any) -> Shape:
    """Members travel as their values; by their names if a value could not travel."""
    values = [member.value for member in cls]
    try:
        check_all(values)
    except EncodingError:
        return via(cls, attrgetter("name"), cls.__getitem__, frozenset({str}))
    return via(cls, attrgetter("value"), cls, frozenset(map(type, values)) or frozenset({int}))


def _bare(annotation: Any) -> Any:
    """Without what says nothing of the value: Annotated, NewType, an alias ..."""
    while True:
        origin = get_origin(annotation)
        if origin in (Annotated, Final):
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif hasattr(annotation, "__value__") and not isinstance(annotation, type):
            annotation = annotation.__value__
        else:
            return annotation


def _type_arguments(cls: Any, args: tuple[Any, ...]) -> dict[Any, dict[Any, Any]]:
    """What the type variables of a generic class and of its bases are, by class."""
    own = dict(zip(getattr(cls, "__parameters__", ()), args, strict=False))
    found = {cls: own}
    for base in getattr(cls, "__orig_bases__", ()):
        if (origin := get_origin(base)) is not None:
            found |= _type_arguments(origin, tuple(_substituted(arg, own) for arg in get_args(base)))
    return found


def _substituted(hint: Any, types: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return types.get(hint, hint)
    own = getattr(hint, "__parameters__", ()) if get_origin(hint) is not None else ()
    return hint[tuple(types.get(one, one) for one in own)] if own else hint
