"""A claimed job and its outcome, and all that its worker holds of it from the claim until the outcome is recorded."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextvars import Context
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar

from ...client.connection import JobsRedis
from ...errors import DoesNotFit, QueueUnavailable, TaskRevoked, WrongValue
from ...store.stored_values import moment_of
from ...tasks.call_options import check_headers
from ...tasks.current import CurrentJob, Request
from ...tasks.registry import RegisteredTask
from ...values.calls import other_names
from .slots import Slot

STARTED = "STARTED"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
RETRY = "RETRY"
PENDING = "PENDING"
SUSPENDED = "SUSPENDED"  # A job with steps that waits: see contrib.durable.
PARKED = "PARKED"  # A workflow that waits for its members and is parked: it is due again when one ends.
NEEDS_KEYS = "keys"  # A verdict: its limits are by key, and its caller did not know the function.
UNKNOWN_AGAIN_S = 5  # How long a job with an unknown task is put back: a newer worker may know it.


@dataclass(slots=True)
class ClaimedJob:
    """A row of claim.lua, with the token that owns it. Times are milliseconds by Redis' clock."""

    id: str
    queue: str
    payload: bytes
    token: str = ""
    started: float = 0.0  # Monotonic seconds when this worker received it.
    attempts: int = 1
    due: int = 0
    enqueued: int = 0
    received: int = 0
    verdict: str = ""  # '' if it may run. Why it must end instead: missing, revoked, expired, poison. Or NEEDS_KEYS.
    retries: int = 0
    crashes: int = 0
    lapsed: int = 0  # 1: its last worker died with it, or lost its lease.
    unknown_since: int = 0  # When a worker first did not know its task; 0 if none has looked.
    suspect: int = 0
    is_member: int = 0  # 1: it belongs to a workflow: its result goes into the journal there.
    steps: int = 0  # 1: some are recorded.

    @property
    def wait_ms(self) -> int:
        """From due to received; -1 of a job without a due time, which a stock producer called."""
        return max(self.received - max(self.due, self.enqueued), 0) if self.due else -1

    def now_s(self) -> float:
        """Seconds since 1970 by Redis' clock: when it was received, and how long ago that is."""
        return self.received / 1000 + time.monotonic() - self.started


@dataclass(slots=True, eq=False)
class CallData:
    """What is to be called: the payload, decoded."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    job_try: int | None = None
    enqueued: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)  # What follows: `link` and `link_error`, as stored trees.
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # Its arguments are left out, see `inert_call`.


@dataclass(slots=True)
class Outcome:
    """How one attempt ended. `value` is the result, or the exception; `why` goes into the job's log of attempts."""

    state: str
    value: Any = None
    delay_s: float = 0
    why: str = ""
    keep_s: float | None = None  # Seconds to keep the result; None: as long as the worker keeps results.
    ignored: bool = False  # The result of a success is not stored.
    unknown_since: int = 0
    keys: str = ""  # Of its limits, behind a |: it is put back with them, see buckets.lua.
    members_seen: int = 0  # Of a parked workflow: how many of its members had ended when it looked.
    more: Any = ""  # Of a job with steps: what finish.lua has to know.
    by_member: bool = False  # A workflow failed because a member did: that is logged, counted and listed already.

    @property
    def ends(self) -> bool:
        return self.state in (SUCCESS, FAILURE, REVOKED)


def revoked(job_id: str, when: str = "") -> Outcome:
    return Outcome(REVOKED, TaskRevoked(f"job {job_id} was revoked{when}"), why="revoked")


R = TypeVar("R")

logger = logging.getLogger("arq.worker.jobs")

UNKNOWN = CallData("<unknown>")


@dataclass(slots=True, eq=False)
class HeldJob:
    """What the engine, the run path and the recorder know of one held job."""

    job: ClaimedJob
    slot: Slot
    _redis: JobsRedis
    executor: Executor | None
    _ctx_of_worker: dict[Any, Any]
    block: list["HeldJob"] = field(default_factory=list)  # Jobs that are announced with it.
    call: CallData = UNKNOWN
    sent: bytes = b""  # Of the call, if they were decoded: kept, as the task may change its arguments.
    rebuilt: CallData | None = None  # With arguments as its code takes them; `call` has what is kept and shown.
    current: "JobOnWorker | None" = None  # What its task was given.
    _ctx: dict[Any, Any] | None = None
    outcome: Outcome | None = None
    announced: bool = False  # Its first line is logged.
    refusal: Outcome | None = None  # Why it is not started, once it is announced.
    context: Context | None = None  # That of its run, where somebody reports failures: see `contrib.sentry`.
    task: "asyncio.Task[Any] | None" = None  # That of its run.
    stopped: str = ""  # Why we cancelled it: shutdown, revoked, lost, suspended; '' if we did not.

    @property
    def ctx(self) -> dict[Any, Any]:
        """The worker's ctx with what arq adds for one job, made when it is first asked for."""
        if self._ctx is None:
            tries = max(self.job.retries + 1, self.call.job_try or 0)
            enqueued = moment_of(self.call.enqueued or self.job.enqueued)
            own = {"job_id": self.job.id, "job_try": tries, "enqueue_time": enqueued, "score": self.job.due}
            self._ctx = {**self._ctx_of_worker, **own}
        return self._ctx

    async def report(self, meta: bytes) -> None:
        """Store the job's progress. A job does not fail because Redis is away."""
        try:
            await self._redis.run_script("progress", self.job.id, self.job.token, meta)
        except QueueUnavailable as error:
            logger.warning("job %s: its progress is not stored: %s", self.job.id, error)

    @property
    def headers(self) -> Mapping[str, str]:
        """What its callbacks inherit: as its code left them, if that ran and left them right."""
        if self.current is not None:
            with contextlib.suppress(TypeError, WrongValue):
                return self.current.checked_headers()
        return self.call.headers

    def without_slot(self, waiting: Coroutine[Any, Any, R]) -> Coroutine[Any, Any, R]:
        """Await it without the slot: see `Slot`."""
        return self.slot.free_while(waiting, in_thread=self.thread is not None)

    @property
    def thread(self) -> asyncio.Future[object] | None:
        """The thread that still runs its code, if there is one."""
        thread = self.current.thread if self.current is not None else None
        return thread if thread is not None and not thread.done() else None


class JobOnWorker(CurrentJob):
    """A CurrentJob whose parts are made when they are first asked for: most tasks ask for none."""

    misfit: DoesNotFit | None = None  # Why its arguments could not be rebuilt: hooks and middleware hear of it.

    def __init__(self, task: RegisteredTask, held: HeldJob) -> None:
        self.task = task
        self.name = task.name
        self._held = held

    def __getattr__(self, name: str) -> Any:
        if name not in _PARTS:
            raise other_names().no_attribute(self, name)
        part = vars(self)[name] = _PARTS[name](self._held)
        return part

    @cached_property
    def durable(self) -> Any:
        return import_module("...contrib.durable.calls", __package__).DurableCalls(self, self._held)

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self.misfit is not None:
            raise self.misfit
        held, has_request = self._held, "request" in vars(self)  # a middleware may have set another
        call = self.request if has_request else held.rebuilt or held.call
        return call.args, call.kwargs

    def checked_headers(self) -> Mapping[str, str]:
        """What its callbacks inherit; TypeError or WrongValue if its code left there what is none."""
        is_asked_for = "headers" in vars(self)
        return check_headers("self.headers", self.headers) if is_asked_for else self._held.call.headers


_PARTS: dict[str, Callable[[HeldJob], Any]] = {
    "request": lambda held: request_of(held.job, held.rebuilt or held.call),
    "headers": lambda held: dict(held.call.headers),
    "ctx": lambda held: held.ctx,
    "clock": lambda held: held.job.now_s,
    "executor": lambda held: held.executor,
    "report": lambda held: held.report,
    "without_slot": lambda held: held.without_slot,
    "loop": lambda held: held.slot.loop,
    "calls": lambda held: set(),
}


def request_of(job: ClaimedJob, call: CallData) -> Request:
    own = (job.retries, job.attempts, job.crashes, job.queue, job.due)
    return Request(job.id, call.task, call.args, call.kwargs, *own, called_directly=False, headers=call.headers)
