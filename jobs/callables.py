"""What a task may be made of: any callable but a generator. What its call gives back is awaited, if it can be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from jobs.canvas import Node
from jobs.errors import SettingsMistake
from jobs.result import Result

LAZY = (GeneratorType, AsyncGeneratorType, map, filter)
"""What runs nothing until somebody asks for its items."""


def is_async(function: Callable[..., Any]) -> bool:
    """Is a call of it a coroutine, as that of an `async def`? Partials and objects with `__call__` too."""
    return any(map(inspect.iscoroutinefunction, _codes(function)))


def refuse_generator(name: str, function: Callable[..., Any]) -> None:
    """SettingsMistake for a function that yields: a call of it would run nothing."""
    for code in _codes(function):
        if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
            raise SettingsMistake(
                f"{name}: a function that yields cannot be a task, a call of it runs nothing: return a list, "
                "or have another task called for each item"
            )


def is_unfinished(value: Any) -> bool:
    """Did the call give back something that has yet to run?"""
    return hasattr(value, "__await__") or isinstance(value, LAZY)


async def finished(name: str, value: Any) -> Any:
    """Await it, if that is what it takes. TypeError for a generator: nothing of it has run, and nothing will.

    A Result is left alone: its job runs by itself.
    """
    while hasattr(value, "__await__") and not isinstance(value, Result | Node):
        value = await value
    if isinstance(value, LAZY):
        raise TypeError(
            f"{name} returned a {type(value).__name__}, of which nothing has run: return list(...) of it"
        )
    return value


def _codes(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The function below partials, and the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(type(function), "__call__", None)  # noqa: B004  # not whether, but which
