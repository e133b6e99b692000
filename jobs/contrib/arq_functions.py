"""arq's functions and cron jobs, unchanged: imported by a worker that was given one."""

import asyncio
from typing import Any, TypeVar

import arq.worker
from arq.cron import CronJob
from arq.worker import JobExecutionFailed, RetryJob

from ..tasks.masking import secrets_of
from ..values.short_text import text
from ..worker.execution.claimed_job import FAILURE, RETRY, CallData, ClaimedJob, HeldJob, Outcome
from ..worker.execution.job_log import REASON_CHARS
from ..worker.execution.runnables import defer_s

T = TypeVar("T")


class ArqRunnable:
    """An arq function or cron job: `async def f(ctx, ...)`, with arq's `Retry`, `max_tries` and `job_timeout`."""

    ignore_result = False
    expires: float | None = None

    def __init__(self, function: arq.worker.Function | CronJob, worker: arq.worker.Worker) -> None:
        self._function = function
        self.runs_again = worker.retry_jobs
        self.queue: str = worker.pool.key.queue_name(worker.queue_name)  # type: ignore[attr-defined]  # a Store
        self.secrets = secrets_of(function.coroutine, bound=True)
        self._max_tries = _given(function.max_tries, worker.max_tries)
        self._timeout_s = _given(function.timeout_s, worker.job_timeout_s)
        forever = _given(function.keep_result_forever, worker.keep_result_forever)
        keep_s = _given(function.keep_result_s, worker.keep_result_s)
        self.keep_result_s: float | None = float("inf") if forever else keep_s

    def refuse(self, job: ClaimedJob, call: CallData) -> BaseException | None:
        tries = max(job.retries + 1, call.job_try or 0)
        if tries > self._max_tries:
            return JobExecutionFailed(f"max {self._max_tries} retries exceeded")
        return None

    async def run(self, held: HeldJob) -> Any:
        call = held.rebuilt or held.call
        # in no task of its own: SystemExit in that would end the loop
        async with asyncio.timeout(self._timeout_s or None):
            return await self._function.coroutine(held.ctx, *call.args, **call.kwargs)

    def judge(self, error: BaseException, job: ClaimedJob) -> Outcome:
        if self.runs_again and isinstance(error, arq.worker.Retry):
            return Outcome(RETRY, error, delay_s=defer_s(error), why=text(error, REASON_CHARS))
        if self.runs_again and isinstance(error, RetryJob | asyncio.CancelledError):
            return Outcome(RETRY, error, why="cancelled")
        return Outcome(FAILURE, error)


def _given(own: T | None, of_worker: T) -> T:
    return of_worker if own is None else own
