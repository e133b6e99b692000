"""Wrong calls, and attributes that are not there: the error says what to write instead."""

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


def other_names() -> Any:
    """The names of Celery and arq that have no place here: imported when somebody has written one."""
    return import_module("..contrib.other_names", __package__)


def explained(function: F) -> F:
    """Have a wrong call of a function of ours say what to write instead."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            other_names().refuse_wrong_call(function, args, kwargs)
            raise

    return call  # type: ignore[return-value]


def all_explained(cls: C) -> C:
    """The same for each public method of a class, and for making one."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, explained(member))
    return cls


class Explains:
    """An object whose missing attributes are explained."""

    if not TYPE_CHECKING:  # a type checker knows what is missing

        def __getattr__(self, name: str) -> Any:
            raise other_names().no_attribute(self, name)
