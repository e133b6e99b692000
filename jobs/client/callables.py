"""What a task may be made of: any callable but a generator. What its call gives back is awaited, if it can be."""

import functools
import inspect
import itertools
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from ..errors import SettingsMistake
from ..workflows.canvas import Node
from .result import Result

_OF_ITERTOOLS = filter(inspect.isclass, vars(itertools).values())
LAZY = frozenset({GeneratorType, AsyncGeneratorType, map, filter, zip, enumerate, *_OF_ITERTOOLS})
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
    kind = type(value)
    if kind is list or kind is tuple:
        return CoroutineType in map(type, value)
    return kind in LAZY or hasattr(value, "__await__")


async def finished(name: str, value: Any) -> Any:
    """Await it, if that is what it takes. TypeError for a generator: nothing of it has run, and nothing will.

    A Result is left alone: its job runs by itself.
    """
    while hasattr(value, "__await__") and not isinstance(value, Result | Node):
        value = await value
    kind = type(value)
    if kind in LAZY:
        raise TypeError(f"{name} returned a {kind.__name__}, of which nothing has run: return list(...) of it")
    if kind in (list, tuple) and is_unfinished(value):
        for coroutine in filter(inspect.iscoroutine, value):
            coroutine.close()
        raise TypeError(f"{name} returned coroutines, of which nothing has run: await asyncio.gather(*...) of them")
    return value


def _codes(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The function below partials, and the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(type(function), "__call__", None)  # noqa: B004  # not whether, but which
