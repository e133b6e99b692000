"""Code of the application around every call that is sent, and around every run of a task."""

import functools
import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ..errors import SettingsMistake
from ..tasks.call_options import check_headers, merged
from ..tasks.current import CurrentJob
from ..values import checks
from ..workflows.canvas import Node, Signature
from .result import Result
from .submit import WORKFLOW, WORKFLOW_TASKS

Pair: TypeAlias = tuple[Node, Mapping[str, Any]]  # What is called, and the options of the call.
Around: TypeAlias = Callable[[CurrentJob], AbstractAsyncContextManager[None]]
"""The one-function form of a middleware's `run`: entered around the code of each task."""


@dataclass
class OutgoingCall:
    """A call on its way to Redis. A middleware may change `args`, `kwargs` and `headers`; they are checked later."""

    task: str
    """The task's name; `jobs.workflow` for a group, chain or chord."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    headers: dict[str, str]
    options: Mapping[str, Any]
    """Its other options: queue, countdown, eta ..."""
    node: Node
    """The signature or workflow, as it was given."""

    @classmethod
    def of(cls, pair: Pair) -> Self:
        node, options = pair
        name, given = WORKFLOW, dict(options)
        if isinstance(node, Signature):
            name, given = node.task, merged(node.options, options)
        headers = given.pop("headers", None)
        headers = {} if headers is None else check_headers("headers", headers)
        return cls(name, node.args, dict(node.kwargs), headers, given, node)

    def pair(self) -> Pair:
        own: dict[str, Any] = {"options": {}} if isinstance(self.node, Signature) else {}  # they are among these
        args, kwargs = checks.positional("args", self.args), checks.by_name("kwargs", self.kwargs)
        return self.node._with(args=args, kwargs=kwargs, **own), {**self.options, "headers": self.headers}


Send: TypeAlias = Callable[[OutgoingCall], Awaitable[Result]]
Run: TypeAlias = Callable[[CurrentJob], Awaitable[Any]]


class Middleware:
    """Base of a middleware; a subclass has `send`, `run` or both. Give it to `connect(middleware=[...])` where calls
    are made, and to `worker_settings(middleware=[...])`. The first in the list is the outermost."""

    workflows = False
    """Is `run` around evaluations of workflows too, the task `jobs.workflow`? They wait by raising our exceptions."""

    async def send(self, call: OutgoingCall, call_next: Send) -> Result:
        """Around each call that code makes: `.delay()`, `apply_async()`, each one of `apply_many()`. Members and
        callbacks do not come here: they inherit the headers of the job that calls them.

        It returns what `call_next` does: the Result. What it raises before that, the caller gets, and nothing is
        stored. Of several calls each comes here in turn; they are stored once all have come through.
        """
        return await call_next(call)

    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        """Around the code of each attempt of a task, on its worker. What it returns is the result.

        What it raises is the job's exception, with retries as ever. `self.retry()` passes here as `Retry`, a
        shutdown, a revoke or a lost lease as `asyncio.CancelledError`.
        """
        return await call_next(job)


@dataclass(eq=False)
class AroundMiddleware(Middleware):
    around: Around

    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        async with self.around(job):
            return await call_next(job)


def with_automatic(given: Sequence[Middleware]) -> tuple[Middleware, ...]:
    """The middleware that was *given*, within that of OpenTelemetry, if the application has imported and set it up."""
    if "opentelemetry.trace" not in sys.modules:
        return tuple(given)
    otel = importlib.import_module("..contrib.otel", __package__)
    return (*otel.middleware(), *given)


def steps_of(middleware: Sequence[Middleware], side: str, task: str = "") -> list[Any]:
    """The `send` methods, or the `run` methods for *task*, without those that only pass on."""
    asked = (one for one in middleware if one.workflows or task not in WORKFLOW_TASKS)
    return [getattr(one, side) for one in asked if getattr(type(one), side) is not getattr(Middleware, side)]


def through(steps: Sequence[Any], last: Any) -> Any:
    """One function of all: the first is the outermost, *last* is within."""
    return functools.reduce(lambda call_next, step: lambda one: step(one, call_next), reversed(steps), last)


def sent(result: Any) -> Result:
    if not isinstance(result, Result):
        raise TypeError(
            f"a middleware's send() returned {checks.shown(result)}: return what call_next() returns, or, where the "
            "call is not to be sent, a Result of your own. If it was given to call_next(), it was sent"
        )
    return result


def check_middleware(option: str, value: Any) -> tuple[Middleware, ...]:
    """Objects of subclasses of Middleware, in their order."""
    several = checks.items(option, value, "a list of middleware, such as [Tenant()]")
    for one in several:
        if isinstance(one, type) and issubclass(one, Middleware):
            raise SettingsMistake(f"{option}=[{one.__name__}]: give an object of it, {one.__name__}()")
        if not isinstance(one, Middleware):
            raise SettingsMistake(f"{option}=[{checks.shown(one)}]: give objects of subclasses of Middleware")
        if all(getattr(type(one), side) is getattr(Middleware, side) for side in ("send", "run")):
            raise SettingsMistake(f"{option}=[{type(one).__name__}()]: it has no `async def send`, and no `run`")
        for side in ("send", "run"):
            if not inspect.iscoroutinefunction(getattr(one, side)):
                raise SettingsMistake(f"{option}=[{type(one).__name__}()]: write `async def {side}`, without a yield")
    return several
