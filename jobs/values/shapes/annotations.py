"""From annotations to shapes. What contains no type that needs one is not looked at."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from importlib import import_module
from inspect import isabstract
from itertools import combinations
from pathlib import PurePath
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, TypeVar, Union

from typing import get_args, get_origin, get_type_hints, is_typeddict  # isort: skip

from ...errors import SettingsMistake
from ..sendable import LEAVES, RECORDS
from .containers import KINDS, choice, entries, several
from .records import Fields, fields_of, record
from .shape import ANYTHING, DECLARED, Misfit, Shape, as_it_is, enum, via

_ALSO: Mapping[Any, set[type]] = {int: {bool}, float: {int, bool}, complex: {float, int, bool}, date: {datetime}}
"""What type checkers take for a type, too."""


class Shapes:
    """The shapes of the annotations of one task."""

    def __init__(self, strict: bool) -> None:
        self._strict, self._made = strict, dict[Any, Shape]()

    def of(self, annotation: Any) -> Shape:
        """SettingsMistake for one that plain data cannot carry; NameError for fields of unknown types."""
        annotation = _bare(annotation)
        origin, args = get_origin(annotation), get_args(annotation)
        if origin in (Union, UnionType):
            return self._choice([self.of(member) for member in args])
        if origin is Literal:
            return self._literal(args)
        if (origin or annotation) in KINDS:
            return self._container(origin or annotation, args)
        if annotation not in self._made:
            self._made[annotation] = self._of_class(origin or annotation, annotation)
        return self._made[annotation]

    def _of_class(self, cls: Any, annotation: Any) -> Shape:
        is_class = isinstance(cls, type) and cls not in (object, Any)
        if cls in LEAVES or cls in RECORDS or (is_class and issubclass(cls, BaseException)):
            return as_it_is(cls, frozenset({cls, *_ALSO.get(cls, ())}), strict=self._strict)
        if cls in DECLARED:
            return via(cls, *DECLARED[cls])
        if hasattr(cls, "__struct_fields__") or (hasattr(cls, "model_dump") and hasattr(cls, "model_validate")):
            return import_module("...contrib.models", __package__).shape(cls)  # type: ignore[no-any-return]
        if is_class and issubclass(cls, Enum) and len(cls):
            return enum(cls)
        if is_class and issubclass(cls, PurePath):
            return Shape(
                cls.__qualname__, frozenset({type(cls())}), frozenset({str}), str, cls
            )  # a Path is a PosixPath
        if (fields := fields_of(cls)) is not None:
            return self._record(cls, fields, annotation)
        is_open = not is_class or isabstract(cls) or getattr(cls, "_is_protocol", False)
        return as_it_is(cls, ANYTHING if is_open else frozenset({cls}), strict=self._strict)

    def _record(self, cls: Any, fields: Fields, annotation: Any) -> Shape:
        hints = get_type_hints(cls, include_extras=True)
        types = _type_arguments(cls, get_args(annotation))
        shapes = dict[str, Shape]()
        self._made[annotation] = record(cls, fields, shapes)
        for name in fields:
            hint = hints.get(name, Any)
            if get_origin(hint) in (NotRequired, Required):  # to the class it was text
                fields[name] = name, get_origin(hint) is Required
            owner = next((one for one in cls.__mro__ if name in vars(one).get("__annotations__", ())), cls)
            shapes[name] = self.of(_substituted(hint, types.get(owner, {})))
        if is_typeddict(cls) and not self._strict and not any(shape.converts for shape in shapes.values()):
            return as_it_is(cls, KINDS[dict])
        return self._made[annotation]

    def _container(self, cls: Any, args: tuple[Any, ...]) -> Shape:
        shapes = [self.of(arg) for arg in args if arg is not ...] or [as_it_is(Any, ANYTHING)] * 2
        if not self._strict and not any(shape.converts for shape in shapes):
            return as_it_is(cls, KINDS[cls])
        if KINDS[cls] == {dict}:
            if shapes[0].has_no_hash:
                raise SettingsMistake(f"a key of a dict cannot be {shapes[0].name}: its plain data has no hash")
            return entries(*shapes)
        return several(cls, shapes, is_fixed=cls is tuple and args != () and ... not in args)

    def _literal(self, values: tuple[Any, ...]) -> Shape:
        enums = {type(value) for value in values if isinstance(value, Enum)}
        others = as_it_is(Literal, frozenset(map(type, values)) - enums, strict=self._strict)

        def allowed(value: Any) -> Any:
            if not any(type(value) is type(one) and value == one for one in values):
                raise Misfit("it is none of the values that are allowed")
            return value

        others.write = others.read = allowed if self._strict else others.read
        return self._choice([*map(self.of, enums), *([others] if others.forms else [])])

    def _choice(self, shapes: list[Shape]) -> Shape:
        if len(shapes) == 1:
            return shapes[0]
        converting = [shape for shape in shapes if shape.converts]
        others = frozenset[type]().union(*(shape.forms for shape in shapes if not shape.converts))
        if not converting or (others and any(_are_alike(shape.forms, others) for shape in converting)):
            return as_it_is(Any, ANYTHING)  # `Path | str`, too: what travels by itself, as ever
        for one, other in combinations(converting, 2):
            if not (one.is_native and other.is_native) and _are_alike(one.forms, other.forms):
                raise SettingsMistake(f"the plain data of {one.name} and of {other.name}, in a union, look the same")
        return choice(sorted(converting, key=lambda shape: shape.forms is ANYTHING), others)


def _are_alike(one: frozenset[type], other: frozenset[type]) -> bool:
    return one | other >= ANYTHING or bool(one & other)


def _bare(annotation: Any) -> Any:
    """Without what says nothing of the value: Annotated, NewType, an alias ..."""
    while True:
        origin = get_origin(annotation)
        if origin in (Annotated, Required, NotRequired):
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif hasattr(origin, "__value__"):  # type Pair[T] = tuple[T, T]
            annotation = origin.__value__[get_args(annotation)]
        elif hasattr(annotation, "__value__") and not isinstance(annotation, type):
            annotation = annotation.__value__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or Any
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
