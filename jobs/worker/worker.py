"""arq's Worker, with our engine inside: what `arq module.WorkerSettings` builds once `worker_settings()` was called."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
from collections.abc import Sequence
from signal import Signals
from typing import Any

import arq.worker
from arq.connections import log_redis_info
from arq.worker import JobExecutionFailed

from ..client.connection import JobsRedis
from ..store import scripts
from ..store.cancellation import cancel_until_ended
from ..store.keys import NO_PREFIX
from ..store.outage import Outage
from ..values.exceptions import declare_exception
from .arq_functions import TaskFunction, runnables
from .arq_options import TaskDefaults, pickle_reader
from .engine import LAST_WAIT_S, Engine
from .execution.claimed_job import FAILURE, RETRY, SUCCESS
from .execution.hooks import Hooks
from .execution.runnables import Around
from .execution.runner import Runner
from .json_log import use_json_lines
from .lease_renewer import Lease
from .presence import check_memory, until_over
from .scheduler import Scheduler
from .statistics import Statistics

logger = logging.getLogger("arq.worker")

SILENT_MS = 15_000
"""A worker that was not seen for so long does not count as one that serves the queue."""


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
        max_jobs_total: int | None = None,
        max_memory: float | None = None,
        log_format: str = "text",
        nice: int = 0,
        accept_pickle: bool = False,
        **arq_options: Any,
    ) -> None:
        """Ours beside arq's options; times in seconds.

        *max_jobs_total* and *max_memory* (MB) end the worker once it has started so many jobs or takes so much, and
        those that run have ended; its supervisor starts another. *log_format* is text or json. *nice* (0 to 19) lets
        other processes of the machine, such as its web server, go first.
        *accept_pickle*: run what arq pickled, for `functions` alone; whoever can write to Redis can run any code then.
        *unknown_task_patience*: how long a job waits for a worker that knows its task.
        *around*: a function that is given the CurrentJob and returns an async context manager; the code of each
        task runs in it. `@asynccontextmanager` above `async def around(job)` with one `yield` makes one.
        """
        self._task_defaults = TaskDefaults(arq_options)
        pool = arq_options.get("redis_pool")
        self._ours = isinstance(pool, JobsRedis)
        if isinstance(pool, JobsRedis):  # else arq would use pickle wherever it reads or writes a job itself
            arq_options |= {"job_serializer": pool.dumps, "job_deserializer": pool.loads}
        key = pool.key if isinstance(pool, JobsRedis) else NO_PREFIX
        if self._ours and queues:
            arq_options["queue_name"] = key.queue_key(queues[0])
        super().__init__(functions, **arq_options)
        self._queues = list(queues or [key.queue_name(self.queue_name)])
        self._around = around
        self._lease = Lease(lease, lease_renewal, loop_stuck)
        self._unknown_patience_s = unknown_task_patience
        self._max_jobs_total = max_jobs_total
        self._max_memory_mb = max_memory
        self._log_format = log_format
        self._nice = nice
        self._accept_pickle = accept_pickle
        self._slot_freed = asyncio.Event()
        self._engine: Engine | None = None
        self._owns_process = False
        self._stopper: asyncio.Task[None] | None = None

    def statistics(self) -> Statistics:
        """What it does at this moment."""
        return self._engine.statistics() if self._engine else Statistics()

    async def run_job(self, job_id: str, score: int) -> None:
        """arq's, and a full worker looks for more at once: arq's waits for its next poll."""
        try:
            await super().run_job(job_id, score)
        finally:
            self._slot_freed.set()

    async def _poll_iteration(self) -> None:
        await super()._poll_iteration()
        if self.job_counter >= self.max_jobs and not self.burst:
            self._slot_freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self._slot_freed.wait()
            await super()._poll_iteration()

    def run(self) -> None:
        """Run until stopped, then close. A thread that does not end cannot keep the process: its lease lapses."""
        self._owns_process = True
        os.nice(self._nice)
        if self._log_format == "json":
            use_json_lines()
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
        outage = Outage("start")
        await outage.keep_trying(lambda: log_redis_info(self.pool, logger.info), only_away=True)
        await outage.keep_trying(self._declare_limits, only_away=True)
        self.ctx["redis"] = self.pool
        check_memory(self._max_memory_mb)
        if self.on_startup:
            await self.on_startup(self.ctx)
        # told to stop meanwhile: a library's own timeout may have swallowed the cancellation
        if self.allow_pick_jobs:
            assert isinstance(self.pool, JobsRedis)
            await self._run_engine(self.pool)
        return None

    async def _run_engine(self, redis: JobsRedis) -> None:
        """Run jobs, and beside them what a worker does by the clock, until told to stop or there is no more to do."""
        scheduler = Scheduler(redis, self.cron_jobs, self._queues[-1], self.timezone)
        await scheduler.catch_up()  # a signal meanwhile cancels it: there is no engine yet
        engine = self._engine = self._make_engine(redis)
        by_the_clock = [self._beat(engine), scheduler.run_forever()]
        if self._max_memory_mb is not None:
            by_the_clock.append(self._recycle_when_over(self._max_memory_mb, engine))
        beside = [asyncio.create_task(coroutine) for coroutine in by_the_clock]
        try:
            await engine.run(self.burst, self._job_limit())
        finally:
            await cancel_until_ended(beside)
            self._take_counts(engine)
            await self._leave(redis, engine)
        if engine.started == self._max_jobs_total:
            logger.info("max_jobs_total=%d jobs are done: ending", self._max_jobs_total)

    def _job_limit(self) -> float:
        """How many jobs to start at most before ending."""
        of_burst = self.max_burst_jobs if self.burst and self.max_burst_jobs >= 0 else math.inf
        return min(of_burst, math.inf if self._max_jobs_total is None else self._max_jobs_total)

    async def _recycle_when_over(self, max_memory_mb: float, engine: Engine) -> None:
        """It then ends, so that whoever supervises it starts a fresh process."""
        taken_mb = await until_over(max_memory_mb)
        logger.info(
            "%.0f MB are taken, max_memory=%g: no more jobs, ending with the last", taken_mb, max_memory_mb
        )
        engine.stop_claiming()

    def _make_engine(self, redis: JobsRedis) -> Engine:
        runner = Runner(
            redis,
            dict(runnables(self, self._around, self._task_defaults)),
            Hooks(self.on_job_start, self.on_job_end, self.after_job_end),
            self.ctx,
            self._unknown_patience_s,
            self.log_results,
            pickle_reader() if self._accept_pickle else None,
        )
        return Engine(
            runner,
            queues=self._queues,
            max_jobs=self.max_jobs,
            poll_s=self.poll_delay_s,
            counts={SUCCESS: self.jobs_complete, FAILURE: self.jobs_failed, RETRY: self.jobs_retried},
            shut_down=lambda: self.handle_sig(signal.SIGTERM),
            lease=self._lease,
        )

    async def _declare_limits(self) -> None:
        for function in self.functions.values():
            if isinstance(function, TaskFunction):
                options = function.task.options
                await self.pool.declare_limits(function.name, options.rate_limit, options.max_concurrency)  # type: ignore[attr-defined]

    async def _beat(self, engine: Engine) -> None:
        """Write the health record that `arq --check` reads; it ends a second after `health_check_interval`."""
        outage = Outage("write the health record")
        while True:
            self._take_counts(engine)
            self._last_health_check = 0  # arq would leave out a beat that comes before its time
            self._last_health_check_log = None  # and log each change: here a line every few seconds
            async with outage.attempt():
                await self.record_health()
            await asyncio.sleep(max(self.health_check_interval / 2, 0.5))

    async def _leave(self, redis: JobsRedis, engine: Engine) -> None:
        """Be listed no more. Redis being away now must not keep the process: the lists forget by themselves, too."""
        try:
            async with asyncio.timeout(2):
                await redis.run_script(
                    scripts.LEAVE, engine.name, self._queues[0], self.health_check_key, SILENT_MS
                )
        except Exception as error:
            logger.info("could not say goodbye to Redis: %s", error)

    def _take_counts(self, engine: Engine) -> None:
        self.tasks = {job_id: held.task for job_id, held in engine.held.items() if held.task}
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
        logger.info("%d jobs still run: they are cancelled and handed back", len(engine.held))
        engine.cancel_all()
        if not self._owns_process:
            return
        await asyncio.sleep(LAST_WAIT_S if wait_s else 1)
        logger.warning("%d jobs do not end: leaving them, their leases lapse", len(engine.held))
        logging.shutdown()
        os._exit(0)

    def _say_shutdown(self, signum: Signals) -> None:
        if self._engine is not None:
            self._take_counts(self._engine)
        line = "shutdown on %s ◆ %d jobs complete ◆ %d failed ◆ %d retries ◆ %d to be completed"
        counts = self.jobs_complete, self.jobs_failed, self.jobs_retried
        logger.info(line, signum.name, *counts, self.statistics().running)

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


declare_exception(JobExecutionFailed)
