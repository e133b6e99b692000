"""arq's Worker, with our engine inside: what `arq module.WorkerSettings` builds once `worker_settings()` was called."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import signal
from collections.abc import Sequence
from signal import Signals
from typing import Any

import arq
import arq.worker
from arq.connections import log_redis_info
from arq.worker import JobExecutionFailed

from jobs import encoding, keys, registry
from jobs.connection import JobsRedis
from jobs.decorator import Task
from jobs.errors import SettingsMistake
from jobs.line import is_away
from jobs.schedules import Schedule
from jobs.worker.claimed import FAILURE, RETRY, SUCCESS
from jobs.worker.engine import Engine
from jobs.worker.functions import Around, ArqRunnable, Runnable, TaskRunnable
from jobs.worker.hooks import Hooks
from jobs.worker.link import Link
from jobs.worker.registered import TaskFunction
from jobs.worker.scheduler import Scheduler

logger = logging.getLogger("arq.worker")

SUPPORTED_ARQ = "0.28.0"
LAST_WAIT_S = 4
"""How long cancelled jobs may take to end before the process leaves them."""


class Worker(arq.worker.Worker):
    """Given our connection class, everything of ours is on; given a plain ArqRedis it is arq's worker, that
    refills a freed slot at once instead of at its next poll.
    """

    def __init__(
        self,
        functions: Sequence[Any] = (),
        *,
        queues: Sequence[str] | None = None,
        around: Around | None = None,
        lease: float = 15,
        lease_renewal: float = 5,
        loop_stuck: float = 60,
        unknown_task_patience: float = 3600,
        **arq_options: Any,
    ) -> None:
        self._ours = isinstance(arq_options.get("redis_pool"), JobsRedis)
        if self._ours and arq_options.get("queue_name") is None:
            arq_options["queue_name"] = keys.queue_key((queues or [keys.DEFAULT_QUEUE])[0])
        super().__init__(functions, **arq_options)
        self._queues = list(queues or [keys.queue_name(self.queue_name)])
        self._around = around
        self._lease = {"lease_s": lease, "renew_s": lease_renewal, "stuck_s": loop_stuck}
        self._unknown_patience_s = unknown_task_patience
        self._slot_freed = asyncio.Event()
        self._engine: Engine | None = None
        self._owns_process = False
        self._stopper: asyncio.Task[None] | None = None

    async def run_job(self, job_id: str, score: int) -> None:
        try:
            await super().run_job(job_id, score)
        finally:
            self._slot_freed.set()

    def run(self) -> None:
        """Run until stopped, then close. A thread that does not end cannot keep the process: its lease lapses."""
        self._owns_process = True
        super().run()
        if self._engine is not None and self._engine.has_unended_code:
            logger.warning("threads of cancelled jobs still run: leaving them")
            logging.shutdown()
            os._exit(0)

    async def main(self) -> None:
        """Start, run until stopped; wait for a Redis that is not there yet."""
        if not self._ours:
            return await super().main()
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        await self._until_redis_answers()
        await self._declare_limits()
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        if (
            not self.allow_pick_jobs
        ):  # told to stop meanwhile; a library's own timeout may swallow the cancellation
            return None
        self._engine = self._make_engine()
        scheduler = Scheduler(self.pool, self.cron_jobs, self._queues[-1], self.timezone)  # type: ignore[arg-type]
        await scheduler.catch_up()
        beside = [asyncio.create_task(self._beat(self._engine)), asyncio.create_task(scheduler.run_forever())]
        try:
            await self._engine.run(self.burst, self.max_burst_jobs)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._take_counts(self._engine)
        return None

    def _make_engine(self) -> Engine:
        return Engine(
            self.pool,  # type: ignore[arg-type]  # `_ours` says so
            self._runnables(),
            Hooks(self.on_job_start, self.on_job_end, self.after_job_end),
            self.ctx,
            queues=self._queues,
            max_jobs=self.max_jobs,
            poll_s=self.poll_delay_s,
            unknown_patience_s=self._unknown_patience_s,
            log_results=self.log_results,
            **self._lease,
        )

    def _runnables(self) -> dict[str, Runnable]:
        runnables: dict[str, Runnable] = {}
        for name, function in self.functions.items():
            if isinstance(function, TaskFunction):
                runnables[name] = TaskRunnable(function.task, self._around)
            elif isinstance(function, Schedule):  # it calls a task, and may bear its name
                if isinstance(task := registry.lookup(function.task), Task):
                    runnables[function.task] = TaskRunnable(task, self._around)
            else:
                runnables[name] = ArqRunnable(function, self)
        return runnables

    async def _declare_limits(self) -> None:
        for function in self.functions.values():
            if isinstance(function, TaskFunction):
                options = function.task.options
                await self.pool.declare_limits(function.name, options.rate_limit, options.max_concurrency)  # type: ignore[attr-defined]

    async def _until_redis_answers(self) -> None:
        link = Link("start")
        while True:
            try:
                await log_redis_info(self.pool, logger.info)
                return
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(link.failed(error))

    async def _beat(self, engine: Engine) -> None:
        """Write the health record that `arq --check` reads."""
        while True:
            self._take_counts(engine)
            try:
                await self.record_health()
            except Exception as error:
                if not is_away(error):
                    logger.exception("the health record could not be written")
            await asyncio.sleep(self.health_check_interval)

    def _take_counts(self, engine: Engine) -> None:
        self.jobs_complete, self.jobs_failed = engine.counts[SUCCESS], engine.counts[FAILURE]
        self.jobs_retried = engine.counts[RETRY]

    def handle_sig(self, signum: Signals) -> None:
        """First signal: claim no more, let jobs end, hand the late ones back. Second: stop now."""
        if not self._ours:
            return super().handle_sig(signum)
        self._say_shutdown(signum)
        self.allow_pick_jobs = False
        if self._engine is None:
            if self.main_task is not None:
                self.main_task.cancel()
        elif self._stopper is None:
            self._engine.stop_claiming()
            self._stopper = self.loop.create_task(self._end_jobs(self._engine, self._job_completion_wait))
        else:
            self._stopper.cancel()
            self._stopper = self.loop.create_task(self._end_jobs(self._engine, 0))
        if self.on_stop:
            self.on_stop(signum)
        return None

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        if not self._ours:
            return super().handle_sig_wait_for_completion(signum)
        return self.handle_sig(signum)

    async def _end_jobs(self, engine: Engine, wait_s: float) -> None:
        """Let jobs end by themselves for *wait_s*, then cancel the rest, and leave behind what does not end even so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                return await engine.wait_until_idle()
        logger.info("%d jobs still run: they are cancelled and handed back", engine.running)
        engine.cancel_all()
        if not self._owns_process:
            return
        await asyncio.sleep(LAST_WAIT_S if wait_s else 1)
        logger.warning("%d jobs do not end: leaving them, their leases lapse", engine.running)
        logging.shutdown()
        os._exit(0)

    def _say_shutdown(self, signum: Signals) -> None:
        if self._engine is not None:
            self._take_counts(self._engine)
        logger.info(
            "shutdown on %s ◆ %d jobs complete ◆ %d failed ◆ %d retries ◆ %d to be completed",
            signum.name,
            self.jobs_complete,
            self.jobs_failed,
            self.jobs_retried,
            self._engine.running if self._engine else 0,
        )

    async def close(self) -> None:
        if not self._ours:
            return await super().close()
        if not self._pool:
            return None
        if not self._handle_signals and self.main_task is not None and not self.main_task.done():
            self.handle_sig(signal.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        if self.on_shutdown:
            try:
                await self.on_shutdown(self.ctx)
            except Exception:
                logger.exception("on_shutdown failed")
        if self._stopper is not None:
            self._stopper.cancel()
        await self.pool.aclose(True)
        self._pool = None
        return None


encoding.declare_exception(JobExecutionFailed)


def use_our_worker() -> None:
    """Have arq's command line build our Worker: it looks the name up when it starts one.

    Guarded by the version, because everything that we override is arq's private business.
    """
    if arq.VERSION != SUPPORTED_ARQ:
        raise SettingsMistake(
            f"arq {arq.VERSION} is installed; this library is made for arq {SUPPORTED_ARQ} exactly"
        )
    arq.worker.Worker = arq.Worker = Worker  # type: ignore[misc]


_parameters = {
    **inspect.signature(arq.worker.Worker.__init__).parameters,
    **inspect.signature(Worker.__init__).parameters,
}
_parameters.pop("arq_options")
_parameters.pop("self")
Worker.__signature__ = inspect.Signature(list(_parameters.values()))  # type: ignore[attr-defined]
"""arq reads a settings class by the names in this signature, so it must show arq's as well as ours."""
