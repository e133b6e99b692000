"""The job that is running now: what a bound task gets as `self`, and `current_job()` gives everywhere below it."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from types import EllipsisType
from typing import Any, NoReturn, TypeVar, overload

from .. import encoding
from ..errors import MaxRetriesExceeded, QuarqError, Retry, WrongValue
from ..store.schedule_ids import moment_in
from ..store.stored_values import moment
from ..values import checks
from ..values.calls import Explains, all_awaited, explained, running
from .blocking_calls import BlockingJob, Sendable
from .registry import RegisteredTask

R = TypeVar("R")


@dataclass(frozen=True)
class Request(Explains):
    """What is known of a running job: Celery's `self.request`."""

    id: str | None
    task: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    retries: int = 0
    """How often it was retried: the number that `max_retries` bounds."""
    attempts: int = 1
    """How often a worker started it; deploys and crashes count here and nowhere else."""
    crashes: int = 0
    queue: str = "default"
    due_ms: int = 0
    called_directly: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    """Given by its caller, or inherited. The request that an error callback gets has none: it inherits them itself."""

    @property
    def scheduled_for(self) -> datetime | None:
        """The moment of the schedule that has called it, in UTC, however late it runs; its members, its callbacks and a
        run again have it too. None for other calls, and for a schedule that an operator runs now."""
        found = moment_in(self.id or "")
        return found[1] if found else None

    @property
    def eta(self) -> datetime | None:
        """When it was due, in UTC; None for a direct call."""
        return moment(self.due_ms)


# without headers: a worker of an earlier release reads ten values
encoding.declare_type(Request, 30, lambda request: list(vars(request).values())[:10], lambda plain: Request(*plain))


@all_awaited
class CurrentJob(Explains):
    """One run of a task."""

    thread: asyncio.Future[Any] | None = None
    """The thread that runs a plain function: it cannot be stopped, and outlives a cancelled job."""
    stopped = False
    """Was it cancelled while its thread ran? Each call of the thread then raises."""
    suspended = False
    """Does it wait, without a run? Whatever its code does from then on is dropped."""
    _deadline: asyncio.Timeout | None = None
    """That of its `time_limit`."""
    reported: BaseException | None = None
    """An error that its own process has sent to Sentry."""

    def __init__(self, task: RegisteredTask, request: Request) -> None:
        self.task = task
        self.name = task.name
        self.request = request
        self.headers = dict(request.headers)
        """What its members and callbacks inherit. Its task and middleware may change it."""
        self.ctx: dict[Any, Any] = {}
        """arq's ctx: what `on_startup` put there."""
        self.clock: Callable[[], float] = time.time
        """Seconds since 1970; in a worker by Redis' clock."""
        self.executor: Executor | None = None
        """Where plain functions run; None is the loop's own threads."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """That of its worker, or of its caller; None in a process of its own."""
        self.calls: set[asyncio.Task[Any]] = set()
        """What its thread waits for."""
        self.report: Callable[[bytes], Coroutine[Any, Any, None]] | None = None
        self.without_slot: Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, Any]] | None = None
        """Awaits a coroutine without using a slot of the worker; None where there is none."""

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What its function is called with."""
        return self.request.args, self.request.kwargs

    async def update_state(self, *, meta: Any) -> None:
        """Say how far the job is: `Result.meta()` and `Result.progress()` read it. Nothing happens outside a worker."""
        if self.report is not None:
            await self.report(encoding.dumps(meta))

    def __getitem__(self, name: Any) -> NoReturn:
        raise TypeError(f"self is the job, arq's ctx is self.ctx: write self.ctx[{name!r:.80}]")

    @property
    def blocking(self) -> BlockingJob:
        """`self.blocking.update_state(meta=...)` in a plain `def` task."""
        return BlockingJob(self)

    @property
    def durable(self) -> Any:
        """What the five methods below do here: in a job on a worker they are recorded."""
        return import_module("..contrib.durable.direct", __package__).DirectCalls(self)

    @property
    def step_key(self) -> str:
        """Inside a step: `<id>:<name>`, the same in every run. An idempotency key for the other side."""
        return self.durable.step_key  # type: ignore[no-any-return]

    @overload
    async def step(self, name: str, function: Callable[..., Awaitable[R]], /, *args: Any, **options: Any) -> R: ...
    @overload
    async def step(self, name: str, function: Callable[..., R], /, *args: Any, **options: Any) -> R: ...
    async def step(self, name: str, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Call *function* and record what it returns or raises: each later run of this job gets that at once.

        Options: `key=` tells steps of one name apart, as in a loop; `retries=0`, `retry_delay=1` and `timeout=`, of
        each try; `aliases=`, names that it had before; `on_change="keep"`. Others are the function's own. See
        docs/durable.md.
        """
        return await self.durable.step(name, function, *args, **options)

    async def run(self, call: Sendable[R], *, name: str = "", key: Any = None, **options: Any) -> R:
        """Call a task or a workflow as a job of its own, and return what that returns. A later run finds it again."""
        return await self.durable.run(call, name=name, key=key, **options)  # type: ignore[no-any-return]

    async def sleep(self, span: float | timedelta, *, name: str = "sleep", key: Any = None) -> None:
        """Wait without a slot, a worker or memory."""
        await self.durable.sleep(span, name=name, key=key)

    async def wait_for_event(self, name: str, timeout: float | timedelta | None = None, **default: Any) -> Any:  # noqa: ASYNC109
        """Wait in the same way for `Result(id).send_event(name, value)`; returns its value. After *timeout* seconds
        TimeoutError, or `default=`, if that is given.
        """
        return await self.durable.wait_for_event(name, timeout, **default)

    def stop_calls(self) -> None:
        """Raise in its thread, where that waits or calls from now on."""
        self.stopped = True
        for call in self.calls:
            call.cancel()

    @explained
    def retry(
        self,
        *,
        exc: BaseException | None = None,
        countdown: float | timedelta | None = None,
        eta: datetime | None = None,
        max_retries: int | EllipsisType | None = ...,
    ) -> NoReturn:
        """Run this job again, *countdown* seconds from now (default: the task's `default_retry_delay`) or at *eta*.

        Raises by itself; `raise self.retry(...)` reads the same. After the last retry it raises *exc*, or the exception
        being handled, or MaxRetriesExceeded. Called directly, outside a worker, it raises that at once. *max_retries*:
        the task's own unless it is given; None is without end.
        TypeError, WrongValue: an option with a value that it cannot have; nothing is retried then.
        """
        checks.or_none(checks.of_class(BaseException, "an exception, or None"))("exc", exc)
        limit = self.task.options.max_retries
        if max_retries is not ...:
            limit = checks.or_none(checks.count)("max_retries", max_retries)
        if countdown is None and eta is None:
            countdown = self.task.options.default_retry_delay
        elif countdown is not None and eta is not None:
            raise WrongValue("self.retry(): give countdown or eta, not both")
        elif eta is not None:
            countdown = checks.moment("eta", eta).timestamp() - self.clock()
        countdown = max(checks.seconds("countdown", countdown), 0)
        exc = exc if exc is not None else sys.exc_info()[1]
        if self.request.called_directly or (limit is not None and self.request.retries >= limit):
            allowed = f"[{self.request.id}]: {self.request.retries} retries, {limit} are allowed"
            direct = ": it was called directly, and only a worker runs it again"
            why = direct if self.request.called_directly else allowed
            raise exc if exc is not None else MaxRetriesExceeded(f"{self.name}{why}")
        raise Retry(exc, countdown)


def current_job() -> CurrentJob:
    """The job that this code runs in; QuarqError outside of one."""
    if (job := running_job()) is None:
        raise QuarqError("no job is running here: current_job() works inside a task")
    return job


def running_job() -> CurrentJob | None:
    """The job that this code runs in, if any."""
    return running.get(None)  # type: ignore[no-any-return]


async def without_slot(waiting: Coroutine[Any, Any, R]) -> R:
    """Await it. Inside a job its slot is free meanwhile: a job that waits keeps no other from running."""
    job = running_job()
    if job is None or job.without_slot is None:
        return await waiting
    return await job.without_slot(waiting)  # type: ignore[no-any-return]
