"""A connection without Redis: what is enqueued runs at once, by the worker's own run path."""

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, NoReturn

from redis.asyncio.connection import ConnectionPool, UnixDomainSocketConnection

from ... import encoding
from ...client.connection import JobsRedis
from ...client.decorator import Task
from ...client.events import wait_for_event
from ...client.middleware import Around, Middleware
from ...client.result import Result
from ...client.submit import Caller, member_call
from ...errors import NotUnique, QuarqError
from ...store import default
from ...store.call import Answer, Call
from ...store.notifications import JobState
from ...store.scripts import Name
from ...store.store import NEW, TAKEN
from ...tasks import registry
from ...tasks.current import Request
from ...values.calls import all_awaited, explained
from ...worker.execution.claimed_job import FAILURE, REVOKED, SUCCESS, ClaimedJob, HeldJob, Outcome
from ...worker.execution.outcome_encoding import OutcomeEncoder
from ...worker.execution.runnables import Hooks, TaskRunnable, decode_call
from ...worker.execution.runner import Runner
from ...worker.execution.slots import Slot, Slots
from ...worker.worker_options import WorkerOptions, checked
from ...workflows.canvas import Path, Signature, evaluate
from ...workflows.members import place
from ...workflows.stored_tree import from_dict
from ...workflows.task_table import NOTHING, Settled

ENDLESS = 1_000
"""Retries after which a job will not end without help."""
THREADS = 1_000
"""Plain functions that may wait for each other: a thread is started when no other is free."""


@explained
@contextlib.contextmanager
def eager(
    around: Around | None = None, middleware: Sequence[Middleware] = (), ctx: Mapping[Any, Any] | None = None
) -> Iterator[None]:
    """Until the block ends, a call runs here and now, to its end, before `.delay()` returns.

    What a worker does is done: arguments and results are encoded and decoded, limits, hooks, retries (without waiting
    for their delay), links and workflows. A `connect()` inside the block, as of an application that the test starts,
    opens nothing: calls stay here. A countdown is not waited for. `Result` works as ever; a task that fails
    raises at `get()`. *around*, *middleware* and *ctx* are those of `worker_settings()`; `on_startup` is not called.
    """
    connection = EagerRedis(around, middleware, ctx)
    try:
        with default.connected(connection):
            yield
    finally:
        connection.threads.shutdown(wait=False)


@all_awaited
class EagerRedis(JobsRedis):
    """Keeps in memory what the results of this process ask for; every other use of Redis is refused."""

    wins = replays = True
    notifications: Any = property(lambda self: self)

    def __init__(self, around: Around | None, middleware: Sequence[Middleware], ctx: Mapping[Any, Any] | None) -> None:
        options = checked({"around": around, "middleware": middleware})
        pool = ConnectionPool(UnixDomainSocketConnection, path="/nonexistent/eager")
        super().__init__(pool, middleware=options["middleware"])
        self._ctx = dict(ctx or {})
        self._around_runs = WorkerOptions(**options).around_runs
        self._jobs: dict[str, JobState] = {}
        self._meta: dict[str, bytes] = {}
        self._steps: dict[str, Any] = {}
        self._workflow_of: dict[str, str] = {}  # Of its members that wait for an event.
        self.steps = lambda held: self._steps_of(held.job.id)
        self._keys: dict[str, tuple[str, float]] = {}  # Of unique tasks: the job that has it, and until when.
        self._encoder = OutcomeEncoder(self)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="task")

    async def enqueue(self, calls: Sequence[Call]) -> list[Answer]:
        """Run each call to its end, unless its id has a result, or another job has its key."""
        return [await self._take(call) for call in calls]

    async def run_script(self, script: Name, *args: str | bytes | int) -> Any:
        """Progress, events and forgetting. Every job has ended here, so that nothing else can be asked of it."""
        if script == "progress":
            self._meta[str(args[0])] = bytes(args[2])  # type: ignore[arg-type]
        elif script == "send_event":  # a step of the job sends it, or a test before the job is called
            return (0, 0) if args[0] in self._jobs else self._steps_of(str(args[0])).take(args[1], args[2])
        elif script == "forget":
            self._jobs.pop(str(args[0]), None)
        else:
            self._refuse()

    async def _declared(self, names: set[str]) -> Settled:
        return NOTHING  # no worker is there, and no queue

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self._refuse()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> NoReturn:
        self._refuse()

    async def _take(self, call: Call) -> Answer:
        if call.id in self._jobs:
            return TAKEN
        if holder := self._holder(call):
            return holder.encode()
        # a task of its own: what runs in it must not become the caller's current job
        await asyncio.create_task(self._workflow(call) if call.tree else self._job(call))
        return NEW

    def _holder(self, call: Call) -> str:
        """The job that has the key of this call; '' if it has it now. Those until a start have started."""
        if not call.unique or call.unique[0] in ("start", "debounce"):
            return ""
        kind, _, key, _, ms, _ = call.unique
        holder, ends = self._keys.get(key, ("", 0.0))
        if time.monotonic() >= ends:
            holder, self._keys[key] = "", (call.id, math.inf if kind == "end" else time.monotonic() + ms / 1000)
        return holder

    async def _job(self, call: Call) -> None:
        """Run it until it ends: each retry at once."""
        task = registry.find(call.task)
        functions = {call.task: TaskRunnable(task, self._around_runs())} if isinstance(task, Task) else {}
        runner = Runner(self, functions, Hooks(), self._ctx)
        if call.task == wait_for_event.name:
            self._workflow_of[call.id] = call.parent
        retries = 0
        while retries < ENDLESS:
            held = self._held(call, retries)
            held.task = asyncio.create_task(runner.run(held))  # one of its own, which a suspension can cancel
            outcome = await held.task
            if held.thread is not None:  # the code of the next run begins when that of this one has ended
                await asyncio.wait([held.thread])
            if outcome.ends:
                return await self._end(held, outcome)
            if outcome.state == "SUSPENDED":
                self._steps[call.id].go_on(outcome, self._steps.get(self._workflow_of.get(call.id, "")))
            elif outcome.state == "RETRY":
                retries += 1
                if call.id in self._steps:
                    self._steps[call.id].forget(*outcome.more)
            else:
                raise QuarqError(f"{call.task}: {outcome.why}")
        raise QuarqError(f"{call.task}: retried {ENDLESS} times and has not ended")

    def _steps_of(self, job_id: str) -> Any:
        """Made by the first durable call: imported with that."""
        if job_id not in self._steps:
            log = import_module(".eager_steps", __package__).EagerLog(self, job_id, self._jobs)
            self._steps[job_id] = log
        return self._steps[job_id]

    async def _workflow(self, call: Call) -> None:
        async def member(signature: Signature, path: Path) -> Any:
            call = member_call(self, signature, caller, place(path))
            if holder := self._holder(call):
                raise NotUnique(call.task, holder)
            await asyncio.create_task(self._job(call))
            return await Result(call.id, self).get()

        held = self._held(call, 0)
        tree = encoding.loads_wrapped(call.tree)
        held.call = decode_call(call.payload, self.loads)
        node, caller = from_dict(tree), Caller.of(call.id, tree, held.headers)
        try:
            value = await evaluate(node, call=member, request=Request(call.id, call.task))
        except Exception as error:
            await self._end(held, Outcome(FAILURE, error))
        else:
            await self._end(held, Outcome(SUCCESS, value))

    async def _end(self, held: HeldJob, outcome: Outcome) -> None:
        job_id = held.job.id
        result, outcome = self._encoder.result(held, outcome, 0)
        if outcome.ignored or outcome.state == REVOKED:
            result = b""
        self._jobs[job_id] = JobState(outcome.state, result, self._meta.get(job_id, b""))
        self._keys = {key: holder for key, holder in self._keys.items() if holder != (job_id, math.inf)}
        await self.enqueue([make() for make in self._encoder.callbacks(held, outcome)])

    def _held(self, call: Call, retries: int) -> HeldJob:
        job = ClaimedJob(call.id, call.queue, call.payload, attempts=retries + 1, retries=retries)
        job.due = job.enqueued = job.received = int(time.time() * 1000)
        job.started = time.monotonic()
        job.steps = int(call.id in self._steps)
        return HeldJob(job, Slot(Slots(1)), self, self.threads, self._ctx)

    def _refuse(self) -> NoReturn:
        raise QuarqError("eager mode has no Redis, and this needs one: test it with the fixture jobs_worker")

    async def read(self, ids: Sequence[str]) -> list[JobState]:
        """This and the next one are what results use of `notifications`; every job has ended."""
        return [self._jobs.get(job_id, JobState("UNKNOWN", b"", b"")) for job_id in ids]

    async def wait_until_ended(self, job_id: str) -> JobState:
        return (await self.read([job_id]))[0]
