"""`@task`, the `Task` it makes of a function, and calls of tasks by their names alone."""

import asyncio
import contextvars
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, Unpack, overload
from uuid import UUID

from ..errors import SettingsMistake
from ..store import default
from ..store.cancellation import retrieve_exception
from ..tasks import registry
from ..tasks.blocking_calls import BlockingTask
from ..tasks.call_options import CallOptions, ManyOptions, TaskKeywords, checked
from ..tasks.current import CurrentJob, Request, running_job
from ..tasks.limits import check_parameters
from ..tasks.options import TaskOptions, read_options
from ..tasks.parameters import ANNOTATED, Parameters
from ..tasks.unique import UNIQUE
from ..values import checks, exceptions
from ..values.calls import Explains, awaited, plain_task, running
from . import callables
from .plain_data import kept_of
from .result import Result
from .typed_workflows import Signature, group

P = ParamSpec("P")
R = TypeVar("R")


class Task(Explains, Generic[P, R]):
    """A function that can also be called on a worker. Made by `@task`; known by its name everywhere."""

    def __init__(self, function: Callable[..., Any], name: str, options: TaskOptions) -> None:
        self.function = function
        self.name = name
        self.options = options
        self.given: frozenset[str] = frozenset()  # The options that it was given by name; others have their defaults.
        self.parameters = Parameters(name, function, bound=options.bind, strict=options.strict)
        for parameter in options.unique.parameters if options.unique else ():
            if parameter not in self.parameters.of_caller:
                known = checks.hint(parameter, [*self.parameters.of_caller])
                raise SettingsMistake(f"{name}: unique: it has no parameter {parameter!r}; {known}")
        check_parameters(name, options.limit_keys, self.parameters.names)
        self.is_async = callables.is_async(function)
        callables.refuse_generator(name, function)
        if options.process and self.is_async:
            raise SettingsMistake(f"{name}: process=True is for a plain def, not for async def")
        if options.soft_time_limit is not None and not (self.is_async or options.process):
            raise SettingsMistake(
                f"{name}: soft_time_limit cannot reach into a thread: make it async def, or process=True"
            )
        self.__name__ = getattr(function, "__name__", name)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.declared_in = self.__module__  # The module that made it a task: importing it makes the task known.
        self.__wrapped__ = function
        exceptions.declare_exception(*options.autoretry_for, *options.raises)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    @awaited
    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now, in this process; nothing is sent."""
        outer = running_job()
        headers = outer.headers if outer is not None else {}
        job = CurrentJob(self, Request(None, self.name, args, kwargs, headers=headers))
        job.loop = asyncio.get_running_loop()
        return await self.run(job, args, kwargs)

    async def run(self, job: CurrentJob, args: Sequence[Any], kwargs: Mapping[str, Any]) -> R:
        """Run the function as *job*: `async def` on this loop, `def` in a thread."""
        if self.is_async:
            running.set(job)
            value = await self.function(*self._with_self(job, args), **kwargs)
            return await callables.finished(self.name, value) if callables.is_unfinished(value) else value  # type: ignore[no-any-return]
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        job.thread = loop.run_in_executor(job.executor, lambda: context.run(self.run_now, job, args, kwargs))
        job.thread.add_done_callback(retrieve_exception)
        try:
            value = await asyncio.shield(job.thread)
        except asyncio.CancelledError:
            job.stop_calls()
            job.thread.add_done_callback(_close_coroutine)
            raise
        if callables.is_unfinished(value):
            running.set(job)
            value = await callables.finished(self.name, value)
        return value  # type: ignore[no-any-return]

    def run_now(self, job: CurrentJob, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a plain function as *job*, in this thread."""
        running.set(job)
        plain_task.set(self.name)
        try:
            return self.function(*self._with_self(job, args), **kwargs)
        except StopIteration as error:  # a Future takes none: the caller would wait for ever
            raise RuntimeError(f"{self.name} raised StopIteration") from error

    def _with_self(self, job: CurrentJob, args: Sequence[Any]) -> Sequence[Any]:
        return (job, *args) if self.options.bind else args

    @property
    def blocking(self) -> BlockingTask[P, R]:
        """The same calls for plain code: `multiply.blocking.delay(2, 3)`. See docs/blocking.md."""
        return BlockingTask(self)

    @awaited
    async def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Call it on a worker, as soon as one is free. Once this returns, the call survives any crash."""
        return await default.current().submit(Signature(self.name, args, kwargs), {})  # type: ignore[no-any-return]

    @awaited
    async def apply_async(
        self, args: Iterable[Any] | None = (), kwargs: Mapping[str, Any] | None = None, **options: Unpack[CallOptions]
    ) -> Result[R]:
        """As `delay`, with options: see CallOptions.

        TypeError: arguments that the function does not take, an option that does not exist or has a value of the wrong
        type. WrongValue: an option with a value that it cannot have. EncodingError: arguments that cannot travel.
        QueueUnavailable: Redis is away.
        """
        given = {name: value for name, value in options.items() if value is not None}
        return await default.current().submit(Signature(self.name, args, kwargs), given)  # type: ignore[no-any-return]

    @awaited
    async def apply_many(
        self, calls: Iterable[Sequence[Any] | Signature[R]], **options: Unpack[ManyOptions]
    ) -> list[Result[R]]:
        """Call it on workers, once for each item, all in one round trip; the Results in the order given.

        An item is the positional arguments of one call, or a signature of this task. If one is refused, none is sent.
        """
        checked(options, ManyOptions.__annotations__, "apply_many()")
        signatures = [call if isinstance(call, Signature) else Signature(self.name, call) for call in calls]
        for signature in signatures:
            if signature.task != self.name:
                raise TypeError(f"{self.name}: apply_many() was given a call of another task, {signature!r}")
        return await default.current().submit_many(signatures, options)  # type: ignore[no-any-return]

    def result(self, id: str | UUID) -> Result[R]:
        """The Result of a call of this task, by its id. Nothing is asked; whose id it is, is not looked at."""
        return Result(id, None, kept_of(self.s()))

    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """A call not yet made; it may lack arguments, which then come first (`s` for signature)."""
        return Signature(self.name, args, kwargs)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """A call not yet made that takes no more arguments: the result before it is not handed to it."""
        return Signature(self.name, args, kwargs, immutable=True)

    def signature(
        self,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        immutable: bool = False,
        **options: Any,
    ) -> Signature[R]:
        """A call not yet made, with its options: countdown, eta, queue ..."""
        return Signature(self.name, args, kwargs, options, immutable)

    subtask = signature

    def map(self, items: Iterable[Any]) -> Signature[list[R]]:
        """One job that calls this with each item in turn: the list of results."""
        return self.s().map(items)

    def starmap(self, items: Iterable[Iterable[Any]]) -> Signature[list[R]]:
        """As `map`, each item being all the positional arguments of its call."""
        return self.s().starmap(items)

    def chunks(self, items: Iterable[Iterable[Any]], n: int) -> group[list[R]]:
        """A group of starmaps over *n* items each: a list of lists of results."""
        return self.s().chunks(items, n)

    def with_options(self, **options: Any) -> "Task[P, R]":
        """The same task with other options, for this call only."""
        other: Task[P, R] = Task(self.function, self.name, read_options({**vars(self.options), **options}))
        other.given, other.declared_in = self.given | options.keys(), self.declared_in
        return other


class Decorator(Protocol):
    """What `@task(...)` returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class BoundDecorator(Protocol):
    """What `@task(bind=True, ...)` returns: callers do not give the first argument."""

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(*, name: str | None = None, bind: Literal[True], **options: Unpack[TaskKeywords]) -> BoundDecorator: ...
@overload
def task(*, name: str | None = None, bind: Literal[False] = False, **options: Unpack[TaskKeywords]) -> Decorator: ...
def task(function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Make a function a task. Its *name* is stored with every call: give one that will outlive the module's.

    See TaskOptions for the options; one that does not exist is a TypeError. `async def` runs on the worker's loop,
    `def` in a thread, and `def` with `process=True` in a process.
    """
    checked = read_options(options)
    module = sys._getframe(1).f_globals.get("__name__", "__main__")

    def decorate(function: Callable[..., Any]) -> Task[Any, Any]:
        with checks.as_settings_mistake("@task: "):
            checks.function("function", function)
            known_as = checks.name("name", registry.origin_of(function).own_name if name is None else name)
        made: Task[Any, Any] = Task(function, known_as, checked)
        made.declared_in, made.given = module, frozenset(options)
        registry.register(made, checked.aliases)
        if made.parameters.annotations is not None:
            ANNOTATED.update((known_as, *checked.aliases))
        (UNIQUE.update if checked.unique else UNIQUE.difference_update)((known_as, *checked.aliases))
        return made

    return decorate if function is None else decorate(function)


def signature(
    task: str,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    immutable: bool = False,
    **options: Any,
) -> Signature[Any]:
    """A call of the task of that name, which need not be known in this process."""
    return Signature(checks.name("task", task), args, kwargs, options, immutable)


@awaited
async def send_task(
    name: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
) -> Result[Any]:
    """Call the task of that name on a worker; returns its Result."""
    return await Signature(checks.name("name", name), args, kwargs).apply_async(**options)


def _close_coroutine(thread: asyncio.Future[Any]) -> None:
    """Its job was stopped before it could be awaited."""
    if not thread.cancelled() and thread.exception() is None and inspect.iscoroutine(thread.result()):
        thread.result().close()
