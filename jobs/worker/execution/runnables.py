"""What a worker can run: our tasks, and arq's functions unchanged, which answer the same questions; and hooks."""

import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import arq.worker
import msgpack
from arq.jobs import DeserializationError
from arq.worker import RetryJob

from ... import encoding
from ...client.decorator import Task
from ...client.middleware import Middleware, Run, steps_of, through
from ...errors import DoesNotFit, EncodingError, MaxRetriesExceeded, Retry, WorkerLost
from ...tasks.call_options import stored_headers
from ...tasks.current import CurrentJob, Request
from ...tasks.masking import Secrets, secrets_of
from ...tasks.parameters import Annotations
from ...values.exceptions import declare_exception
from ...values.short_text import said, text
from ...workflows.members import MemberFailed, Parked, Revoked
from ..orchestrator import PARKED_S
from .claimed_job import FAILURE, PARKED, RETRY, UNKNOWN, CallData, ClaimedJob, HeldJob, JobOnWorker, Outcome, revoked
from .job_log import REASON_CHARS

logger = logging.getLogger("arq.worker.jobs")

Hook = Callable[[dict[Any, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Hooks:
    """`on_job_start`, `on_job_end` (before the result is stored) and `after_job_end`, each given the job's ctx."""

    start: Hook | None = None
    end: Hook | None = None
    after_end: Hook | None = None


async def called(function: Callable[..., Any], *args: Any) -> None:
    """Call it, async or plain. A plain one runs on the loop, which waits."""
    answer = function(*args)
    if inspect.isawaitable(answer):
        await answer


async def call_hook(hook: Callable[..., Any], task: str, *args: Any) -> None:
    """Call a hook, async or plain, of a job of this task. A plain one runs on the loop, so it must be quick.

    arq's take the job's ctx, a task's `on_success`, `on_failure` and `on_retry` the job and its value or exception.
    """
    try:
        await called(hook, *args)
    except Exception:
        logger.exception("%s: the hook %s failed", task, getattr(hook, "__qualname__", hook))


declare_exception(arq.worker.Retry, arq.worker.RetryJob)  # They come back as they are.

CRASHES = 2  # How often a job whose own process dies is run again, at once; each time is one of its retries.


class Runnable(Protocol):
    """A registered function, as the run path sees it: a task of ours, or of arq's (`contrib.arq_functions`). `refuse`
    returns why a job must not be started, `run` runs the code, `judge` makes an outcome of its exception."""

    runs_again: bool  # After a retry or a shutdown, see arq's `retry_jobs`.
    keep_result_s: float | None
    ignore_result: bool
    queue: str
    expires: float | None
    secrets: Secrets

    def refuse(self, job: ClaimedJob, call: CallData) -> BaseException | None: ...
    async def run(self, held: HeldJob) -> Any: ...
    def judge(self, error: BaseException, job: ClaimedJob) -> Outcome: ...


class TaskRunnable:
    """One of our tasks. *keep_result_s* is for one without a `result_expires`."""

    def __init__(
        self,
        task: Task[Any, Any],
        middleware: Sequence[Middleware],
        keep_result_s: float | None = None,
        runs_again: bool = True,
    ) -> None:
        self._task = task
        self._run = self._composed(steps_of(middleware, "run", task.name))
        own = task.options.result_expires
        self.keep_result_s = keep_result_s if own is None else own
        self.runs_again = runs_again
        self.ignore_result = task.options.ignore_result
        self.queue = task.options.queue
        self.expires = task.options.expires
        self.secrets = secrets_of(task.function, bound=task.options.bind)

    def refuse(self, job: ClaimedJob, call: CallData) -> BaseException | None:
        """A task with acks_late=False is never run twice."""
        if job.lapsed and not self._task.options.acks_late:
            return WorkerLost(f"job {job.id}: its worker died, and {self._task.name} may not run twice")
        return None

    async def run(self, held: HeldJob) -> Any:
        annotations = self._task.parameters.annotations
        job = held.current = JobOnWorker(self._task, held)
        if annotations is not None:
            try:
                held.rebuilt = annotations.applied("read", held.call)
            except DoesNotFit as error:
                job.misfit = error
        value = await self._run(job)
        job.checked_headers()  # its callbacks inherit them
        return value if annotations is None else annotations.result("write", value)

    def _composed(self, steps: Sequence[Any]) -> Run:
        """What runs its code: with no more around that than this task has asked for."""
        options = self._task.options
        run: Run = self._run_code
        if options.process:
            run = import_module("...contrib.processes", __package__).run_in_process
        elif options.time_limit is not None or options.soft_time_limit is not None:
            run = import_module("...contrib.time_limits", __package__).run_within_limits
        hooks = options.on_success or options.on_failure or options.on_retry
        if (annotations := self._task.parameters.annotations) is not None and (hooks or steps):
            run = partial(_run_checked, annotations, run)
        if hooks:
            run = partial(self._run_with_hooks, run)
        return partial(_run_through, through(steps, run)) if steps else run

    def _run_code(self, job: CurrentJob) -> Awaitable[Any]:
        return self._task.run(job, *job.arguments)

    async def _run_with_hooks(self, run: Run, job: CurrentJob) -> Any:
        """The task's own hooks run where its code does: inside the middleware."""
        options = self._task.options
        try:
            value = await run(job)
        except Exception as error:
            if job.suspended:
                raise
            outcome = self.judge(error, job.request)
            hook = options.on_retry if outcome.state == RETRY else options.on_failure
            if hook is not None:
                await call_hook(hook, job.name, job, error if outcome.value is None else outcome.value)
            raise
        if options.on_success is not None and not job.suspended:
            await call_hook(options.on_success, job.name, job, value)
        return value

    def judge(self, error: BaseException, job: ClaimedJob | Request) -> Outcome:
        if isinstance(error, Parked):
            return Outcome(PARKED, delay_s=PARKED_S, members_seen=error.seen)
        if isinstance(error, MemberFailed):
            return Outcome(FAILURE, error.error, by_member=True)
        if isinstance(error, Revoked):
            return revoked(str(job.id), " while it ran")
        outcome = self._judge(error, job)
        if outcome.ends or self.runs_again:
            return outcome
        return Outcome(FAILURE, error if outcome.value is None else outcome.value)

    def _judge(self, error: BaseException, job: ClaimedJob | Request) -> Outcome:
        if isinstance(error, Retry):
            if error.exc is not None and error.exc.__traceback__ is None:  # it was made for `retry(exc=...)`
                error.exc.__traceback__ = error.__traceback__
            return Outcome(RETRY, error.exc, delay_s=error.countdown, why="the task asked for it, and gave no error")
        if isinstance(error, DoesNotFit):  # nor will it the next time
            return Outcome(FAILURE, error)
        options = self._task.options
        if isinstance(error, WorkerLost) and options.process and options.acks_late and job.retries < CRASHES:
            return Outcome(RETRY, error, why=said(error, REASON_CHARS))
        left = options.max_retries is None or job.retries < options.max_retries
        if isinstance(error, arq.worker.Retry | RetryJob):
            if left:  # as in a function of arq
                return Outcome(RETRY, error, delay_s=defer_s(error), why=text(error, REASON_CHARS))
            allowed = f"{job.retries} retries, {options.max_retries} are allowed"
            return Outcome(FAILURE, MaxRetriesExceeded(f"{self._task.name}[{job.id}]: {allowed}"))
        if left and options.retries_by_itself(error):
            return Outcome(RETRY, error, delay_s=options.next_delay(job.retries), why=text(error, REASON_CHARS))
        return Outcome(FAILURE, error)


def defer_s(error: BaseException) -> float:
    return (getattr(error, "defer_score", None) or 0) / 1000


async def _run_checked(annotations: Annotations, run: Run, job: CurrentJob) -> Any:
    """Inside the hooks and the middleware, which hear of a result that does not fit, and see the value itself."""
    value = await run(job)
    annotations.result("write", value)
    return value


async def _run_through(run: Run, job: CurrentJob) -> Any:
    """Run it with all its middleware, which may have forgotten an `await`."""
    value = await run(job)
    if inspect.isawaitable(value):
        getattr(value, "close", lambda: None)()
        raise TypeError("a middleware's run() returned what nobody has awaited: write `return await call_next(job)`")
    return value


def decode_call(payload: bytes, loads: Callable[[bytes], Any]) -> CallData:
    """Decode arq's wire format; any mistake in it is a DeserializationError."""
    try:
        data = loads(payload)
        if not isinstance(data["f"], str):
            raise TypeError(f"{data['f']!r} is not a task's name")
        own = data.get("o") or {}, stored_headers(data["h"]) if "h" in data else {}
        return CallData(data["f"], tuple(data["a"]), dict(data["k"]), data["t"], int(data["et"]), *own)
    except Exception as error:
        raise DeserializationError(f"unable to deserialize job: {said(error, REASON_CHARS)}") from error


def inert_call(payload: bytes) -> CallData:
    """What can be said of a call without types of the application: decoding those may be what kills workers."""
    with contextlib.suppress(DeserializationError):
        return decode_call(payload, encoding.loads_inert)
    try:
        raw = msgpack.unpackb(payload, strict_map_key=False)  # tagged values stay bytes
        stripped = {**raw, "a": [], "k": {}, "o": _inert_options(raw)}
        return replace(decode_call(encoding.pack(stripped), encoding.loads_inert), cut=True)
    except Exception:  # foreign data
        return UNKNOWN


def _inert_options(raw: dict[str, Any]) -> Any:
    try:
        return encoding.loads_inert(msgpack.packb(raw.get("o") or {}))
    except EncodingError as error:
        logger.warning("%s: its link_error is not called, it cannot be read safely: %s", raw.get("f"), error)
        return {}
