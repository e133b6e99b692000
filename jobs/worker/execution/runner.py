"""Run one claimed job: the path that every job takes, from the payload to the outcome."""

import asyncio
import concurrent.futures.thread
import contextlib
import importlib
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arq.jobs import DeserializationError
from arq.worker import JobExecutionFailed

from ...client.connection import JobsRedis
from ...errors import TaskRevoked, UnknownTask, WorkerLost, WrongValue
from ...tasks import registry
from ...tasks.declarations import KnownTask
from . import job_log

from .claimed_job import (  # isort: skip
    FAILURE, NEEDS_KEYS, PENDING, REVOKED, SUCCESS, UNKNOWN_AGAIN_S, ClaimedJob, HeldJob, Outcome, revoked,
)  # fmt: skip
from .runnables import Hooks, Runnable, TaskRunnable, call_hook, decode_call, inert_call

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x8f\x80")
"""What a pickle begins with, and no call in msgpack; the last is one of ours, see contrib.pickled."""
NOT_ACCEPTED = (
    "unable to deserialize job: it was pickled, as arq does by default; "
    "worker_settings(accept_pickle=True) reads such jobs for functions=[...], see docs/from-arq.md"
)


@dataclass(frozen=True)
class Runner:
    """Turns claimed jobs into outcomes. `run` never raises: everything that happens is an outcome."""

    redis: JobsRedis
    functions: Mapping[str, Runnable]
    hooks: Hooks
    ctx: dict[Any, Any]
    unknown_patience_s: float = 0
    log_results: bool = True
    pickled: Any = None  # The module that reads what arq pickled, if this worker accepts that.

    def declarations(self) -> dict[str, str]:
        """What processes without the code of these functions have to know of them: see known_tasks."""
        return {
            name: KnownTask(function.queue, function.secrets, function.expires).packed()
            for name, function in self.functions.items()
        }

    def announce(self, held: HeldJob) -> None:
        """Log that the job starts, or why it does not: of all jobs of its block before code of any of them runs, so
        that a process that is killed in its first statement has said what it was about to run.
        """
        others = [one for one in held.block if one is not held]
        held.block.clear()
        self._announce(held)
        for one in others:
            try:
                self._announce(one)
            except BaseException:  # it is raised again in its own `run`, where it ends the job
                continue
        job_log.flush()

    def _announce(self, held: HeldJob) -> None:
        held.refusal = self._refusal(held)
        if held.refusal is not None:
            job_log.refused(held.job, held.call, held.refusal)
        else:
            job_log.received(held.job, held.rebuilt or held.call, self.functions[held.call.task].secrets)
        held.announced = True

    async def run(self, held: HeldJob) -> Outcome:
        """Run the job, unless there is a reason not to, and log it; returns the outcome."""
        if not held.announced:
            self.announce(held)
        if held.refusal is not None:
            return held.refusal
        job, call, hooks = held.job, held.call, self.hooks
        job_log.log_fields.set((job.id, call.task))
        function = self.functions[call.task]
        began = time.monotonic()
        try:
            if hooks.start is not None:
                await call_hook(hooks.start, call.task, held.ctx)
            value = await function.run(held)
        except BaseException as error:  # sys.exit() too ends the job alone
            cut_our_head(error)
            outcome = self._judge(held, error, function)
        else:
            outcome = Outcome(SUCCESS, value, keep_s=function.keep_result_s, ignored=function.ignore_result)
        if job.steps and held.current is not None:
            with contextlib.suppress(asyncio.CancelledError):
                outcome = await held.current.durable.judged(outcome)
        job_log.ended(job, call, outcome, time.monotonic() - began, self.log_results)
        if hooks.end is not None:
            with contextlib.suppress(asyncio.CancelledError):  # too late to stop it: its outcome is known
                await call_hook(hooks.end, call.task, held.ctx)
        return outcome

    def report(self, held: HeldJob, outcome: Outcome) -> None:
        """The job has failed, and that is recorded. Not called for a workflow that failed because a member did."""

    def _refusal(self, held: HeldJob) -> Outcome | None:
        """Why the job is not started: a verdict of the claim, or something in the payload."""
        job = held.job
        if job.verdict and job.verdict != NEEDS_KEYS:
            return _ended_unstarted(held)
        is_pickled = job.payload.startswith(PICKLED) and self.redis.is_own_encoding
        if is_pickled and self.pickled is None:
            pickles = importlib.import_module("...contrib.unread_pickles", __package__)
            held.call = replace(held.call, task=pickles.function_in(job.payload) or held.call.task, cut=True)
            return self._not_here(job, NOT_ACCEPTED, DeserializationError(NOT_ACCEPTED))
        try:
            held.call = self.pickled.read(held) if is_pickled else decode_call(job.payload, self.redis.loads)
            held.sent = job.payload
        except Exception as error:
            return Outcome(FAILURE, error, why=str(error))
        name = held.call.task
        function = self.functions.get(name)
        if function is None:
            unknown = UnknownTask(f"no worker knew the task {name!r} for {self.unknown_patience_s:g} s")
            return self._not_here(job, f"this worker does not know the task {name!r}", unknown)
        if is_pickled and isinstance(function, TaskRunnable):
            why = (
                f"{name} is a task: accept_pickle=True reads pickled jobs for functions=[...] alone: put it back there"
            )
            return self._not_here(job, why, DeserializationError(why))
        refused = function.refuse(job, held.call)
        if refused is None and job.verdict != NEEDS_KEYS:
            return None
        try:
            known = registry.find(name) if isinstance(function, TaskRunnable) else None
            keys = registry.limit_keys(known, held.call.args, held.call.kwargs) if known and not refused else ""
        except (TypeError, WrongValue) as error:  # nor would its code take them
            refused = error
        if refused is not None:
            return Outcome(FAILURE, refused, why=str(refused), keep_s=function.keep_result_s)
        return Outcome(PENDING, why="its limits are by key", keys=f"|{keys}")

    def _not_here(self, job: ClaimedJob, why: str, error: Exception) -> Outcome:
        """A worker with other settings may be able to run it: it waits for that one for a while, before it fails."""
        since = job.unknown_since or job.received
        if job.received - since >= self.unknown_patience_s * 1000:
            return Outcome(FAILURE, error, why=str(error))
        return Outcome(PENDING, delay_s=UNKNOWN_AGAIN_S, why=why, unknown_since=since)

    def _judge(self, held: HeldJob, error: BaseException, function: Runnable) -> Outcome:
        if isinstance(error, asyncio.CancelledError) and held.stopped in ("shutdown", "revoked"):
            if held.stopped == "revoked" or function.runs_again:
                return stopped(held)
            error = JobExecutionFailed(f"job {held.job.id}: its worker was stopped, and it may not run again")
        outcome = function.judge(error, held.job)
        return replace(outcome, keep_s=function.keep_result_s) if outcome.ends else outcome


def runner_type() -> type[Runner]:
    """One that sends failures to Sentry, if the application has imported its SDK."""
    if "sentry_sdk" not in sys.modules:
        return Runner
    return importlib.import_module("...contrib.sentry", __package__).ReportingRunner  # type: ignore[no-any-return]


def stopped(held: HeldJob) -> Outcome:
    """The outcome of a job whose run we cancelled."""
    if held.stopped == "revoked":
        return revoked(held.job.id, " while it ran")
    return Outcome(PENDING, why="its worker was stopped")


def _ended_unstarted(held: HeldJob) -> Outcome:
    """The end of a job that the claim gave a verdict on. No code of the application runs here: decoding the arguments
    may be what kills workers.
    """
    job = held.job
    if job.verdict == "missing":
        return Outcome(FAILURE, JobExecutionFailed("job expired"), why="its payload is gone")
    held.call = inert_call(job.payload)
    if job.verdict == "revoked":
        return revoked(job.id)
    if job.verdict == "expired":
        return Outcome(REVOKED, TaskRevoked(f"job {job.id} had expired"), why="expired")
    lost = WorkerLost(f"job {job.id} killed {job.crashes} workers")
    return Outcome(FAILURE, lost, why=str(lost))


_OURS = f"{Path(__file__).parents[2]}{os.sep}", concurrent.futures.thread.__file__
_CALLERS = {"Task.run", "Task.run_now", "finished", "ArqRunnable.run"}  # What of ours calls the code of an application.


def cut_our_head(error: BaseException) -> None:
    """Leave out our frames above the code of the application. An error that has come through no such code keeps all."""
    above = error.__traceback__
    while above is not None and (below := above.tb_next) is not None:
        caller, called = above.tb_frame.f_code, below.tb_frame.f_code
        if caller.co_qualname in _CALLERS and not called.co_filename.startswith(_OURS):
            error.__traceback__ = below
            return
        above = below
