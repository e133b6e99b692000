"""Calls that must be awaited, where nothing can await them: in the thread or the process of a plain `def` task."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import MethodType
from typing import Any, TypeVar

from ..errors import NotAwaited
from .wrong_calls import other_names

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

running: ContextVar[Any] = ContextVar("jobs_current_job")  # The job whose code runs here, a CurrentJob.
plain_task: ContextVar[str] = ContextVar("jobs_plain_task")  # The `def` task that this thread or process runs.


class Awaited:
    """An `async def` that raises at the call, in a `def` task without a running loop: nobody could await it there. To
    `inspect` it looks like the function itself: frameworks ask whether they may await it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.__code__ = function.__code__
        self.__defaults__ = function.__defaults__
        self.__kwdefaults__ = function.__kwdefaults__

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if task := plain_task.get(None):
                instead = other_names().instead_of_awaiting(self._function, args)
                what = f"{self._function.__qualname__}() must be awaited, and the plain def task {task!r} cannot"
                raise NotAwaited(f"{what}: {instead}") from None
        try:
            return self._function(*args, **kwargs)
        except TypeError:
            other_names().refuse_wrong_call(self._function, args, kwargs)
            raise


def awaited(function: F) -> F:
    """Have an `async def` of ours raise where nobody can await it."""
    return Awaited(function)  # type: ignore[return-value]  # it is called as the function is


# What each call and each job comes through, behind a function that has looked already.
INNER = frozenset({"enqueue", "submit", "submit_many", "run_script"})


def all_awaited(cls: C) -> C:
    """The same for each public `async def` of a class."""
    for name, member in list(vars(cls).items()):
        is_public = name == "__call__" or not name.startswith("_")
        if inspect.iscoroutinefunction(member) and is_public and name not in INNER:
            setattr(cls, name, Awaited(member))
    return cls
