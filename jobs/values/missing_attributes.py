"""Attributes that Celery's objects have and ours do not: the error says what to write instead."""

from typing import TYPE_CHECKING, Any

from .wrong_calls import other_names


def no_attribute(obj: object, name: str) -> AttributeError:
    """The error of an attribute that is missing."""
    attributes = other_names().ATTRIBUTES
    kind = next((cls.__name__ for cls in type(obj).__mro__ if cls.__name__ in attributes), type(obj).__name__)
    hint = attributes.get(kind, {}).get(name, "")
    why = f"{kind!r} object has no attribute {name!r}" + (f": {hint}" if hint else "")
    return AttributeError(why, name=name, obj=obj)


class Explains:
    """An object whose missing attributes are explained."""

    if not TYPE_CHECKING:  # a type checker knows what is missing

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)
