"""The worker's engine: claims jobs, runs them, records their outcomes, and stops without losing any."""

import asyncio
import contextlib
import logging
import math
import os
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from uuid import uuid4

from ..client.submit import WORKFLOW_TASKS
from ..errors import WorkerLost
from ..store import default
from ..store.cancellation import Background, cancel_until_ended, wait_at_most
from ..store.script_connection import ScriptConnection
from ..store.stored_values import text as stored_text
from ..store.subscription import Subscription
from ..values.short_text import text
from .claim import Claimer, ClaimSize, Waker

from .execution.claimed_job import (  # isort: skip
    FAILURE, PARKED, PENDING, RETRY, REVOKED, SUCCESS, SUSPENDED, ClaimedJob, HeldJob, Outcome,
)  # fmt: skip
from .execution.outcome_encoding import OutcomeEncoder
from .execution.runnables import call_hook
from .execution.runner import Runner
from .execution.slots import THREADS, Slot, Slots
from .lease_renewer import LeaseRenewer, Presence, Statistics
from .process import VERSION
from .recorder import Recorder
from .suspects import SETTLED_S, Caution
from .worker_options import WorkerOptions

logger = logging.getLogger("arq.worker.jobs")

DEAF = "so an operator's quiet and shutdown do not reach this worker, and a revoke only with the next lease"
BLOCK = 32  # Jobs of a claim whose start lines are written before code of any runs. More would keep the first waiting.
LAST_WAIT_S = 4  # How long to wait for cancelled jobs to end.


class Engine:
    """Runs the jobs of the queues in *options*, in that order of priority, up to *max_jobs* at a time."""

    def __init__(
        self, runner: Runner, options: WorkerOptions, *, max_jobs: int, poll_s: float,
        shut_down: Callable[[], None], look_at_schedules: Callable[[], None],
    ) -> None:  # fmt: skip
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self.queues = list(options.queues)
        self.max_jobs = max_jobs
        self._claim_size = ClaimSize(max_jobs)
        self.counts = dict.fromkeys((SUCCESS, FAILURE, RETRY), 0)
        self.started = 0
        self.quiet = False  # An operator paused its claims; running jobs go on, and the process stays.
        self._shut_down = shut_down
        self._look_at_schedules = look_at_schedules  # One may have been stored.
        self.held: dict[str, HeldJob] = {}  # Jobs that are ours until their outcome is recorded.
        self._tokens: dict[str, str] = {}
        self._not_for_us = set[str]()  # Jobs put back for a worker that knows their tasks: a burst leaves them.
        self.tasks: dict[HeldJob, asyncio.Task[None]] = {}  # They end with the code of their jobs; a thread may not.
        self._runner = runner
        self._redis = runner.redis
        self._slots = Slots(max_jobs)
        self._threads = ThreadPoolExecutor(THREADS * max_jobs, thread_name_prefix="task")
        self._caution = Caution(runner.redis, self._slots)
        self._stopping = self._claimed_enough = False
        self._background, self.hooks = Background(), Background()
        self._make_parts(options, poll_s)

    def _make_parts(self, options: WorkerOptions, poll_s: float) -> None:
        """What speaks to Redis: claims, outcomes, wake tokens, an operator's commands and leases."""
        redis, pool = self._redis, self._redis.connection_pool
        self._connections = [ScriptConnection(pool, redis.key) for _ in range(3)]
        claiming, finishing, waking = self._connections
        self._claimer = Claimer(claiming, self.name, self.queues, options.lease)
        self._recorder = Recorder(OutcomeEncoder(redis, self.name, self._runner.pickled), finishing, self._settled)
        self.waker = Waker(waking, self.queues, poll_s, lambda: self._claimable > 0, self._slots.wait_for_change)
        channels = [redis.key.CONTROL + self.name, redis.key.CONTROL]
        self._control = Subscription(pool, channels, hear=self._obey, look=self._look_at_schedules, without=DEAF)
        self._lease_renewer = LeaseRenewer(
            connection=lambda: ScriptConnection(pool, redis.key),
            presence=Presence(
                self.name, self.queues, self._runner.declarations(), self._facts, options.version or VERSION[:100]
            ),
            options=options,
            held=lambda: self._tokens,
            stop_job=self.stop_job,
        )

    async def run(self, burst: bool = False, job_limit: float = math.inf) -> None:
        """Claim and run jobs until `stop_claiming()` or *job_limit* were started; with *burst*, until none is left."""
        with default.connected(self._redis):
            asyncio.get_running_loop().call_later(SETTLED_S, self._caution.settle)
            self._lease_renewer.start()
            self._control.start()
            self._background.start(self._recorder.write_forever())
            try:
                await self._claim_and_run(burst, job_limit)
                self._claimed_enough = True
                while self.held:
                    await self.wait_until_idle()
                    await asyncio.sleep(0)
            finally:
                if self.tasks:  # it was cancelled: what runs must not go on during its next run elsewhere
                    self.stop_claiming()
                    self.cancel_all()
                    await wait_at_most(LAST_WAIT_S, self.wait_until_idle())
                await self._stop_background()

    def stop_claiming(self) -> None:
        """Take no more jobs; those that run go on."""
        self._stopping = True
        self._claimer.stopped = True
        asyncio.get_running_loop().call_soon(self.cancel_all, WORKFLOW_TASKS)  # other workers go on with them at once
        self._slots.nudge()
        self.waker.wake()

    def cancel_all(self, tasks: Collection[str] = ()) -> None:
        """Stop every running job, or those of *tasks*; each is released once its code has ended, no attempt used."""
        for job_id, held in list(self.held.items()):
            if not tasks or held.call.task in tasks:
                self.stop_job(job_id, "shutdown")

    def stop_job(self, job_id: str, why: str, token: str | None = None) -> None:
        """Cancel a running job: shutdown (it runs again), revoked (it ends), lost (another worker has it).

        With *token*, only the run that was claimed with it: the job may have been claimed here again meanwhile.
        """
        held = self.held.get(job_id)
        if held is None or held not in self.tasks or held.outcome is not None or held.stopped:
            return
        if token not in (None, held.job.token):
            return
        held.stopped = why
        if why == "lost":
            logger.warning("job %s: its lease was lost to another worker, stopping it here", job_id)
        # A task that is cancelled before its first step never runs at all, and its job would be held for ever.
        asyncio.get_running_loop().call_soon(self._cancel, held, self.tasks[held])

    def _cancel(self, held: HeldJob, task: asyncio.Task[None]) -> None:
        if held.call.task in WORKFLOW_TASKS:  # for certain: it runs no code that this could harm
            self._background.start(cancel_until_ended([task]))
        else:
            task.cancel()

    async def wait_until_idle(self) -> None:
        while self.tasks:
            await asyncio.wait(self.tasks.values())
            self.tasks = {held: task for held, task in self.tasks.items() if not task.done()}
        await self._recorder.idle.wait()

    def statistics(self) -> Statistics:
        held, used, ending = len(self.held), self._slots.used, self._stopping or self._claimed_enough
        return Statistics(self.name, held, used, self.started, self.quiet, ending, self.max_jobs, dict(self.counts))

    async def _claim_and_run(self, burst: bool, job_limit: float) -> None:
        block = list[HeldJob]()
        while not self._stopping and self.started < job_limit:
            wanted = int(min(self._claimable, job_limit - self.started))
            if wanted <= 0 or self._recorder.is_full:
                await self._slots.wait_for_change()
                self._claim_size.restart()
                continue
            batch = await self._claimer.claim(wanted, self._caution.suspects_allowed, lambda: self._tokens)
            if len(batch.jobs) < wanted and not batch.left_behind:
                self._caution.settle()
            if batch.jobs:
                await self._caution.before_others()
            for number, job in enumerate(batch.jobs):
                block = block if number % BLOCK else []
                self._start(job, block)
            if batch.left_behind:
                self._claim_size.grow()
                continue
            if burst and not batch.jobs and not await self._is_anything_left():
                return
            self._claim_size.restart()
            if not self._stopping:
                await self.waker.wait(0.02 if burst else batch.next_due_s)

    @property
    def _claimable(self) -> int:
        """How many jobs to claim now. A worker that can take none passes its wake token on."""
        return 0 if self.quiet or self._stopping else min(self._caution.jobs_allowed, self._claim_size.now)

    def _start(self, job: ClaimedJob, block: list[HeldJob]) -> None:
        held = HeldJob(job, Slot(self._slots), self._redis, self._threads, self._runner.ctx, block)
        self.held[job.id] = held
        self._tokens[job.id] = job.token
        if job.suspect:
            self._caution.add(held)
            held.block = []
        else:
            block.append(held)
        self.started += 1
        held.task = self.tasks[held] = asyncio.create_task(self._run_one(held))

    async def _run_one(self, held: HeldJob) -> None:
        """Run a job and hand its outcome to the recorder; its slot is free once its code has ended."""
        try:
            stopped = await self._caution.until_alone(held) if held.job.suspect else None
            outcome = stopped or await self._runner.run(held)
        except BaseException as error:  # a defect of ours: the job must still end, and be seen to
            logger.exception("job %s: the worker itself failed", held.job.id, extra={"state": FAILURE})
            outcome = Outcome(FAILURE, error, why=text(error, 1_000))
        in_process = held.current is not None and held.current.task.options.process
        if self._stopping and in_process and isinstance(outcome.value, WorkerLost):
            outcome = Outcome(PENDING, why="its process was stopped with its worker")
        try:
            if outcome.state in (PENDING, SUSPENDED) and held.thread is not None:
                await asyncio.wait([held.thread])  # else another worker would start it while the thread runs
            if held.stopped == "lost":
                self._drop(held)
            else:
                self._recorder.put(held, outcome)
            if held.thread is not None:
                logger.warning("job %s: its thread cannot be stopped, and keeps its slot until it ends", held.job.id)
                await asyncio.wait([held.thread])
        finally:  # a cancellation that was on its way comes here at the latest
            held.slot.end()
            self.tasks.pop(held, None)
            held.task = None  # it holds `held` in turn
            if held.job.suspect:
                self._caution.ended(held)
                self.waker.wake()  # the next suspect may be waiting for this one

    def _settled(self, held: HeldJob, recorded: bool) -> None:
        self._drop(held)
        outcome = held.outcome if recorded else None
        if outcome is not None and outcome.state not in (PENDING, PARKED, SUSPENDED) and not outcome.by_member:
            if not held.job.verdict:
                self._caution.settle()
            self.counts[FAILURE if outcome.state == REVOKED else outcome.state] += 1
            if outcome.state == FAILURE:
                self._runner.report(held, outcome)
        if outcome is not None and outcome.unknown_since:
            self._not_for_us.add(held.job.id)
        has_run = held.announced and held.refusal is None and outcome is not None and outcome.ends
        if has_run and (after_end := self._runner.hooks.after_end) is not None:
            self.hooks.start(call_hook(after_end, held.call.task, held.ctx))
        held.current = None  # it holds `held` in turn: they would wait for the garbage collector

    def _drop(self, held: HeldJob) -> None:
        if self.held.get(held.job.id) is held:
            del self.held[held.job.id]
            del self._tokens[held.job.id]
        if held.job.suspect:
            self._caution.recorded(held)
            self.waker.wake()

    async def _is_anything_left(self) -> bool:
        for queue in map(self._redis.key.queue_key, self.queues):
            first = await self._redis.zrange(queue, 0, len(self._not_for_us))  # one more than are not for us
            if not self._not_for_us.issuperset(map(stored_text, first)):
                return True
        return bool(self.held)

    async def _stop_background(self) -> None:
        """Release what may still be ours, and close; Redis being away now must not keep the process."""
        with contextlib.suppress(Exception):
            await wait_at_most(3, self._claimer.release_all_but({}))
        self._lease_renewer.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(self.waker.close(), self._control.close(), self._background.stop(), self.hooks.stop())
        await asyncio.gather(*(connection.close() for connection in self._connections))

    def _obey(self, channel: bytes, message: bytes) -> None:
        command, _, rest = message.decode().partition(" ")
        if command == "revoke":
            self.stop_job(rest, "revoked")
        elif command == "schedules":  # one was stored
            self._look_at_schedules()
        elif command == "quiet":
            logger.info("quiet, as an operator asked: no more jobs are claimed")
            self.quiet = True
            self.waker.wake()
        elif command == "stack":
            stacks = import_module("..contrib.stacks", __package__)
            self._background.start(stacks.answer(self._redis, self.tasks, rest))
        elif command == "shutdown":
            logger.info("shutting down, as an operator asked")
            self._shut_down()

    def _facts(self) -> dict[str, str | int]:
        """What the monitor shows of this worker, reported with each renewal."""
        now = self.statistics()
        flags = {"quiet": int(now.quiet), "deaf": int(bool(self._control.denied))}
        ended = {f"count_{state}": n for state, n in now.counts.items()}
        return {"max_jobs": self.max_jobs, "running": now.running, "busy": now.busy, **flags, **ended}
