"""Calls of ours that would go wrong, in which the error says what to write instead: calls that a function does not
take, attributes that are not there, and in the thread or the process of a plain `def` task what must be awaited."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NotAwaited

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
