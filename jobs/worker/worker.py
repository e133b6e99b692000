"""arq's Worker, with our engine inside: what `arq module.WorkerSettings` builds once `worker_settings()` was called."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib import import_module
from signal import Signals
from typing import Any

from arq.connections import log_redis_info
from arq.worker import JobExecutionFailed
from arq.worker import Worker as ArqWorker

from ..client.connection import JobsRedis
from ..errors import SettingsMistake
from ..store.cancellation import cancel_until_ended, wait_at_most
from ..store.outage import Outage
from ..values.exceptions import declare_exception
from . import log_setup
from .engine import LAST_WAIT_S, Engine
from .execution.claimed_job import FAILURE, RETRY, SUCCESS
from .execution.runnables import Hooks, called
from .execution.runner import runner_type
from .lease_renewer import Statistics
from .process import PROCESS, RECYCLED, collect_rarely, end_process, end_with_supervisor, memory_mb
from .scheduler import Scheduler
from .worker_options import OWN_OPTIONS, TaskFunction, WorkerOptions, arq_format, runnables

logger = logging.getLogger("arq.worker.jobs")


class Worker(ArqWorker):
    """Takes arq's options and WorkerOptions. Given a plain ArqRedis instead of a JobsRedis, it is arq's own."""

    def __new__(cls, functions: Sequence[Any] = (), **options: Any) -> Worker:
        if isinstance(options.get("redis_pool"), JobsRedis):
            return super().__new__(cls)
        of_arq = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
        return ArqWorker(functions, **of_arq)  # type: ignore[return-value]  # what arq's users expect

    def __init__(self, functions: Sequence[Any] = (), *, redis_pool: JobsRedis, **options: Any) -> None:
        own = WorkerOptions(**{name: options.pop(name) for name in OWN_OPTIONS & options.keys()})
        self._given = dict(options)
        if own.queues:
            options["queue_name"] = redis_pool.key.queue_key(own.queues[0])
        # else arq would use pickle wherever it reads or writes a job itself
        options |= {"job_serializer": redis_pool.dumps, "job_deserializer": redis_pool.loads}
        super().__init__(functions, redis_pool=redis_pool, **options)
        self._options = replace(own, queues=own.queues or [redis_pool.key.queue_name(self.queue_name)])
        self._redis = redis_pool
        self.engine: Engine | None = None
        self.scheduler: Scheduler | None = None
        self._owns_process = False
        self._stopper: asyncio.Task[None] | None = None

    def statistics(self) -> Statistics:
        """What it does at this moment."""
        return self.engine.statistics() if self.engine else Statistics()

    def run(self) -> None:
        """Run until stopped, then close. A thread that does not end cannot keep the process: its lease lapses."""
        self._owns_process = True
        if PROCESS:
            threading.Thread(target=end_with_supervisor, daemon=True).start()
        os.nice(self._options.nice)
        super().run()
        code = RECYCLED if PROCESS and self.allow_pick_jobs and not self.burst else 0
        if self.engine is not None and self.engine.tasks:
            logger.warning("threads of cancelled jobs still run: leaving them")
            end_process(code)
        if code:
            sys.exit(code)

    async def main(self) -> None:
        """Start, run until stopped; wait for a Redis that is not there yet. Answer at `health` from start to end."""
        logger.disabled = False  # a dictConfig disables what it does not name, unless it says otherwise
        log_setup.keep_in_logging()
        if self._options.log_format == "json":
            import_module("..contrib.json_lines", __package__).use_json_lines()
        if self._options.health is None:
            return await self._start_and_run()
        port = import_module("..contrib.port", __package__)  # a worker without it never imports it
        async with port.Port(self._options.health, self._redis, self._options.queues, self.statistics):
            await self._start_and_run()

    async def _start_and_run(self) -> None:
        log_setup.log_start(self.functions, self._options.queues, self._redis, self.max_jobs)
        if self._options.accept_pickle:
            logger.warning(
                "accept_pickle=True: ANYBODY WHO CAN WRITE TO THIS REDIS CAN RUN ANY CODE HERE. It is for the move "
                "from arq: remove it once its jobs are done"
            )
        outage = Outage("start")
        await outage.keep_trying(lambda: log_redis_info(self.pool, logger.info), only_away=True)
        await outage.keep_trying(self._declare_limits, only_away=True)
        self.ctx["redis"] = self.pool
        most_mb, taken_mb = self._options.max_memory, memory_mb()
        if most_mb is not None and taken_mb > most_mb:  # it would do nothing but end, and be started again
            why = f"this worker takes {taken_mb:.0f} MB before its first job; allow more"
            raise SettingsMistake(f"max_memory={most_mb:g}: {why}")
        if self.on_startup:
            await called(self.on_startup, self.ctx)
            logger.disabled = False
        await self._run_engine()

    async def _run_engine(self) -> None:
        """Run jobs, and what a worker does by the clock, until it is stopped or there is no more to do."""
        found = dict(runnables(self, self._options.around_runs(), self._given))  # before a schedule of theirs is stored
        scheduler = self.scheduler = Scheduler(self._redis, self.cron_jobs, self._options.queues[-1], self.timezone)
        await scheduler.catch_up()
        if not self.allow_pick_jobs or asyncio.current_task().cancelling():  # type: ignore[union-attr]
            return  # it was stopped meanwhile: a library's own timeout has swallowed the cancellation
        runner = runner_type()(
            self._redis,
            found,
            Hooks(self.on_job_start, self.on_job_end, self.after_job_end),
            self.ctx,
            self._options.unknown_task_patience,
            self.log_results,
            arq_format() if self._options.accept_pickle else None,
        )
        shut_down = partial(self.handle_sig, signal.SIGTERM)
        engine = self.engine = Engine(
            runner, self._options, max_jobs=self.max_jobs, poll_s=self.poll_delay_s,
            shut_down=shut_down, look_at_schedules=scheduler.woken.set,
        )  # fmt: skip
        engine.counts |= {SUCCESS: self.jobs_complete, FAILURE: self.jobs_failed, RETRY: self.jobs_retried}
        by_the_clock = [self._beat(engine), scheduler.run_forever()]
        if self._options.max_memory is not None:
            by_the_clock.append(self._recycle_when_over(self._options.max_memory, engine))
        if self._owns_process:
            by_the_clock.append(collect_rarely())
        background = [asyncio.create_task(coroutine) for coroutine in by_the_clock]
        try:
            of_burst = self.max_burst_jobs if self.burst and self.max_burst_jobs >= 0 else math.inf
            await engine.run(self.burst, min(of_burst, self._options.max_jobs_total or math.inf))
        finally:
            await cancel_until_ended(background)
            self._take_counts(engine)
            await self._leave(engine.name)
        if engine.started == self._options.max_jobs_total:
            logger.info("max_jobs_total=%d jobs are done: ending", engine.started)

    async def _recycle_when_over(self, most_mb: float, engine: Engine) -> None:
        """It then ends, so that its supervisor starts a fresh process."""
        while True:
            if (now_mb := memory_mb()) > most_mb:
                logger.info("%.0f MB are taken, max_memory=%g: no more jobs, ending with the last", now_mb, most_mb)
                return engine.stop_claiming()
            await asyncio.sleep(1)

    async def _declare_limits(self) -> None:
        for function in self.functions.values():
            if isinstance(function, TaskFunction):
                options = function.task.options
                await self._redis.declare_limits(function.name, options.rate_limit, options.max_concurrency)

    async def _beat(self, engine: Engine) -> None:
        """Write the health record that `arq --check` reads; it ends a second after `health_check_interval`."""
        outage = Outage("write the health record")
        while True:
            self._take_counts(engine)
            async with outage.attempt():
                await self.record_health()
            await asyncio.sleep(max(self.health_check_interval / 2, 0.5))

    async def record_health(self) -> None:
        """As arq's: of all queues, and without a line in the log each time that it has changed."""
        queues = map(self.pool.key.queue_key, self._options.queues)  # type: ignore[attr-defined]
        counts = f"j_complete={self.jobs_complete} j_failed={self.jobs_failed} j_retried={self.jobs_retried}"
        queued = sum([await self.pool.zcard(queue) for queue in queues])
        said = f"{datetime.now():%b-%d %H:%M:%S} {counts} j_ongoing={len(self.tasks)} queued={queued}"
        await self.pool.set(self.health_check_key, said, px=int((self.health_check_interval + 1) * 1000))

    async def _leave(self, name: str) -> None:
        """Be listed no more. Redis being away now must not keep the process: the lists forget by themselves, too."""
        try:
            async with asyncio.timeout(2):
                await self._redis.run_script("leave", name, self._options.queues[0], self.health_check_key)
        except Exception as error:
            logger.info("could not say goodbye to Redis: %s", error)

    def _take_counts(self, engine: Engine) -> None:
        self.tasks = {held.job.id: task for held, task in engine.tasks.items()}
        self.jobs_complete, self.jobs_failed = engine.counts[SUCCESS], engine.counts[FAILURE]
        self.jobs_retried = engine.counts[RETRY]

    def handle_sig(self, signum: Signals) -> None:
        """First signal: claim no more, let jobs end, hand the late ones back. Second: stop now."""
        if self.engine is not None:
            self._take_counts(self.engine)
        said = signum.name, self.jobs_complete, self.jobs_failed, self.jobs_retried, self.statistics().running
        logger.info("shutdown on %s ◆ %d jobs complete ◆ %d failed ◆ %d retries ◆ %d to be completed", *said)
        self.allow_pick_jobs = False
        if self.engine is None:
            if self.main_task is not None:
                self.main_task.cancel()
        elif self._stopper is None:
            self.engine.stop_claiming()
            self._stopper = self.loop.create_task(self._end_jobs(self.engine, self._job_completion_wait))
        else:
            self._stopper.cancel()
            self._stopper = self.loop.create_task(self._end_jobs(self.engine, 0))
        if self.on_stop:
            self.on_stop(signum)

    handle_sig_wait_for_completion = handle_sig

    async def _end_jobs(self, engine: Engine, wait_s: float) -> None:
        """Let jobs end by themselves for *wait_s*, then cancel the rest, and leave behind what does not end even so."""
        if await wait_at_most(wait_s, engine.wait_until_idle()):
            return
        logger.info("%d jobs still run: they are cancelled and released", len(engine.held))
        engine.cancel_all()
        if not self._owns_process:
            return
        await asyncio.sleep(LAST_WAIT_S if wait_s else 1)
        logger.warning("%d jobs do not end: leaving them, their leases lapse", len(engine.held))
        end_process(0)

    async def close(self) -> None:
        if not self._pool:
            return
        if not self._handle_signals and self.main_task is not None and not self.main_task.done():
            self.handle_sig(signal.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        if self.on_shutdown:
            try:
                await called(self.on_shutdown, self.ctx)
            except Exception:
                logger.exception("on_shutdown failed")
        if self._stopper is not None:
            self._stopper.cancel()
        await self.pool.aclose(True)
        self._pool = None


declare_exception(JobExecutionFailed)
