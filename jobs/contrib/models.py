"""Arguments and results that are pydantic models or msgspec Structs: their own library converts them."""

import re
from enum import Enum
from typing import Any

from ..errors import SettingsMistake
from ..values.sendable import LEAVES
from ..values.shapes.shape import ANYTHING, Misfit, Shape, via

_NATIVE = tuple(LEAVES - {type(None), bool, int, float, complex, str})


def shape(cls: Any, annotation: Any) -> Shape:
    """The shape of such a class. Its library is imported already, and the other one need not be there."""
    return _struct(cls, annotation) if hasattr(cls, "__struct_fields__") else _model(cls)


def _struct(cls: Any, annotation: Any) -> Shape:
    import msgspec

    def from_plain(plain: Any) -> Any:
        try:
            return msgspec.convert(plain, annotation)
        except msgspec.ValidationError as error:
            raise _misfit(error if error.__cause__ is None else type(error.__cause__).__name__) from None

    forms = frozenset({list, tuple} if cls.__struct_config__.array_like else {dict})
    return via(cls, lambda value: msgspec.to_builtins(value, builtin_types=_NATIVE), from_plain, forms)


def _model(cls: Any) -> Shape:
    for name, field in cls.model_fields.items():
        if field.exclude:
            raise SettingsMistake(f"{cls.__qualname__}.{name}: a field with exclude=True would be lost on the way")
    from pydantic_core import ValidationError

    def from_plain(plain: Any) -> Any:
        try:
            return cls.model_validate(plain, strict=False, by_alias=False, by_name=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            is_own = first["type"] in ("value_error", "assertion_error")  # of a validator
            misfit = _misfit(first["type"] if is_own else first["msg"])
            misfit.where = "".join(f".{part}" for part in first["loc"])
            raise misfit from None

    forms = ANYTHING if getattr(cls, "__pydantic_root_model__", False) else frozenset({dict})
    return via(cls, lambda model: _natively(model.model_dump(round_trip=True)), from_plain, forms)


def _natively(value: Any) -> Any:
    """What a dump holds, with what does not travel as JSON would have it; a secret as it is."""
    kind = type(value)
    if kind in LEAVES:
        return value
    if kind is dict:
        return {_natively(key): _natively(own) for key, own in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(map(_natively, value))
    if isinstance(value, Enum):
        return _natively(value.value)
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _misfit(why: object) -> Misfit:
    """Without the values that such a text quotes."""
    return Misfit(re.sub(r"'.*'|\".*\"", "'...'", str(why), flags=re.DOTALL))
