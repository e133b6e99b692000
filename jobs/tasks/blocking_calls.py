"""What `.blocking` gives: the verbs of tasks, signatures, results and jobs for plain code, which waits at each call.

A call runs as it would if it were awaited: inside a job on the loop of its worker, in the context of the job; elsewhere
on the loop of this process, in that of the caller.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar, Generic, Literal, ParamSpec, Protocol, TypeVar, Unpack, overload

from ..errors import NotAwaited
from ..values.calls import Explains, all_explained, running
from .call_options import CallOptions, ManyOptions

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")
R_co = TypeVar("R_co", covariant=True)

LOOK_S = 1  # How often a thread that waits makes sure that its loop is still there.
WAITS = frozenset({"get", "progress", "as_completed", "first"})  # Verbs that wait for jobs to end.
_END = object()


def wait_for(shown: str, verb: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What `await call(...)` gives. NotAwaited in a running loop, which would stop: *shown* is what has the verb."""
    loop, job = _loop_for(shown, verb)
    coroutine = _awaited(job, call, args, kwargs)
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise _loop_thread().gone() from None
    try:
        while not future.done():
            try:
                future.exception(LOOK_S)
            except TimeoutError:
                if loop.is_closed():
                    raise CancelledError from None
        value, error = future.result()
    except CancelledError:
        if job is None:
            raise _loop_thread().gone() from None
        raise asyncio.CancelledError(f"job {job.request.id} was stopped") from None  # no `except Exception` keeps it
    except BaseException:  # Ctrl-C, and what else a signal handler raises; of a call that has ended this is nothing
        future.cancel()
        raise
    if error is not None:
        raise error
    return value


def _loop_for(shown: str, verb: str) -> tuple[asyncio.AbstractEventLoop, Any]:
    """Where a call of this thread runs, and the job that it belongs to, if the loop is that of its worker."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        where = f"{shown}.{verb}" if shown else verb
        raise NotAwaited(
            f"use `await {where}(...)` here: an event loop runs in this thread, and `.blocking` stops it; a `def` that "
            "cannot await is to be called in a thread, `await asyncio.to_thread(...)`"
        )
    job = running.get(None)
    if job is not None:
        if job.loop is not None:
            return job.loop, job
        if job.task.options.process and verb in WAITS:
            raise NotAwaited(
                f"{verb}(): the process of {job.name!r} (process=True) may call, but not wait for jobs, which could "
                "need that very process: leave process=True out, or make what follows a chain or a chord"
            )
    return _loop_thread().loop(), None


async def _awaited(
    job: Any, call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Any, BaseException | None]:
    """What a call gave, or how it would have ended its loop. Once *job* was stopped, every call of its thread ends."""
    if job is not None:
        if job.stopped:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        job.calls.add(task)
    try:
        return await call(*args, **kwargs), None
    except (SystemExit, KeyboardInterrupt) as error:  # of a middleware: raised here, it would end the loop
        return None, error
    finally:
        if job is not None:
            job.calls.discard(task)


def _loop_thread() -> Any:  # a process that makes no such call never imports it
    return import_module("..contrib.loop_thread", __package__)


@dataclass(unsafe_hash=True, repr=False)
class _Blocking:
    """The verbs of *target*, as `.blocking` gives them."""

    _target: Any
    shown: ClassVar[Any]  # What an error calls the target.

    def _wait(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        return wait_for(self.shown, verb, getattr(self._target, verb), *args, **kwargs)


def _asked(verb: str, kind: Callable[..., V]) -> Callable[..., V]:
    """The method that asks *verb* of a Result, and gives what that gives."""

    def ask(self: _Blocking) -> V:
        return self._wait(verb)  # type: ignore[no-any-return]

    ask.__name__, ask.__doc__ = verb, f"As `await result.{verb}()`."
    return ask


@all_explained
class BlockingJob(_Blocking):
    """`self.blocking` in a plain `def` task."""

    shown = "self"

    def update_state(self, *, meta: Any) -> None:
        """As `await self.update_state(meta=...)`."""
        if self._target.task.options.process:
            raise NotAwaited(f"{self._target.name}: a task with process=True cannot report its progress: leave it out")
        self._wait("update_state", meta=meta)

    def step(self, name: str, function: Callable[..., R], /, *args: Any, **options: Any) -> R:
        """As `await self.step(...)`; *function* runs in this thread, an `async def` on the loop."""
        return self._target.durable.step_in_thread(name, function, *args, **options)  # type: ignore[no-any-return]

    def run(self, call: "Sendable[R]", **options: Any) -> R:
        return self._wait("run", call, **options)  # type: ignore[no-any-return]

    def sleep(self, span: float | timedelta, **options: Any) -> None:
        self._wait("sleep", span, **options)

    def wait_for_event(self, name: str, timeout: float | timedelta | None = None, **default: Any) -> Any:
        return self._wait("wait_for_event", name, timeout, **default)


@all_explained
class BlockingResult(_Blocking, Explains, Generic[R_co]):
    """A `Result` whose methods wait. `result.blocking` gives it, and so does each call."""

    shown = "result"

    def __repr__(self) -> str:
        return f"<BlockingResult {self.id}>"

    @property
    def id(self) -> str:
        return self._target.id  # type: ignore[no-any-return]

    @property
    def existing(self) -> bool:
        return self._target.existing  # type: ignore[no-any-return]

    @property
    def replaced(self) -> bool:
        return self._target.replaced  # type: ignore[no-any-return]

    @overload
    def get(self, timeout: float | timedelta | None = None, propagate: Literal[True] = True) -> R_co: ...
    @overload
    def get(self, timeout: float | timedelta | None = None, *, propagate: bool) -> Any: ...
    def get(self, timeout: float | timedelta | None = None, propagate: bool = True) -> Any:
        return self._wait("get", timeout, propagate)

    state = status = _asked("state", str)
    ready, successful, failed = (_asked(verb, bool) for verb in ("ready", "successful", "failed"))
    info, meta, forget = (_asked(verb, Any) for verb in ("info", "meta", "forget"))
    retry_failed = _asked("retry_failed", bool)

    def revoke(self, terminate: bool = False) -> str:
        return self._wait("revoke", terminate)  # type: ignore[no-any-return]

    def send_event(self, name: str, value: Any = None) -> bool:
        return self._wait("send_event", name, value)  # type: ignore[no-any-return]

    def children(self) -> "list[BlockingResult[Any]]":
        return [BlockingResult(child) for child in self._wait("children")]

    def reschedule(self, eta: datetime) -> bool:
        return self._wait("reschedule", eta)  # type: ignore[no-any-return]

    def progress(self) -> Iterator[Any]:
        return self._each("progress")

    def as_completed(self) -> "Iterator[BlockingResult[Any]]":
        return map(BlockingResult, self._each("as_completed"))

    def _each(self, verb: str) -> Iterator[Any]:
        loop, _ = _loop_for(self.shown, verb)  # at the call, not at the first item
        items = getattr(self._target, verb)()

        def each() -> Iterator[Any]:
            try:
                while (item := wait_for(self.shown, verb, anext, items, _END)) is not _END:
                    yield item
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has closed it
                    loop.call_soon_threadsafe(lambda: loop.create_task(_awaited(None, items.aclose, (), {})))

        return each()


class BlockingCalls(_Blocking, Generic[R_co]):
    """`signature.blocking`, and that of a group, chain or chord."""

    @property
    def shown(self) -> str:
        task = getattr(self._target, "task", None)
        return f"{type(self._target).__name__}(...)" if task is None else f"{task.rpartition('.')[2]}.s(...)"

    def delay(self, *args: Any, **kwargs: Any) -> BlockingResult[R_co]:
        return BlockingResult(self._wait("delay", *args, **kwargs))

    def apply_async(
        self, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> BlockingResult[R_co]:
        return BlockingResult(self._wait("apply_async", args, kwargs, **options))


class Sendable(Protocol[R_co]):
    """A signature, group, chain or chord, by what it returns."""

    @property
    def blocking(self) -> BlockingCalls[R_co]: ...


class BlockingTask(_Blocking, Generic[P, R]):
    """`task.blocking`."""

    @property
    def shown(self) -> str:
        return self._target.__name__  # type: ignore[no-any-return]

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> BlockingResult[R]:
        return BlockingResult(self._wait("delay", *args, **kwargs))

    def apply_async(
        self, args: Iterable[Any] | None = (), kwargs: Mapping[str, Any] | None = None, **options: Unpack[CallOptions]
    ) -> BlockingResult[R]:
        return BlockingResult(self._wait("apply_async", args, kwargs, **options))

    def apply_many(
        self, calls: Iterable[Sequence[Any] | Any], **options: Unpack[ManyOptions]
    ) -> list[BlockingResult[R]]:
        return [BlockingResult(result) for result in self._wait("apply_many", calls, **options)]


def _after_fork() -> None:
    """In the child of a fork that a job made, the loop of its worker does not run."""
    if (job := running.get(None)) is not None:
        job.loop = None


os.register_at_fork(after_in_child=_after_fork)
