"""The workers of one test, in its own event loop: their keys, their clock, and when there is nothing left to do."""

import asyncio
import contextlib
import inspect
import math
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import uuid4

import redis
from arq.worker import create_worker

from ...client.connection import JobsRedis
from ...errors import QuarqError, SettingsMistake
from ...store import default
from ...store.keys import LAST_MS
from ...store.redis_url import POOL_OPTIONS, RedisURL
from ...store.stored_values import moment_of, whole_ms
from ...values.calls import all_awaited
from ...worker import Worker
from ...worker.settings import worker_settings
from ...worker.worker_options import OF_THE_CONNECTION, TaskFunction

LOOKS, TURNS, PAUSE_S = 5, 20, 0.002
"""Idle is what LOOKS in a row find idle, each a round trip and TURNS of the loop. Between others there is a pause."""
IN_TESTS = {
    "handle_signals": False, "burst": False, "health": None, "poll_delay": 0.2, "job_completion_wait": 0,
    "loop_stuck": 86_400,  # a debugger stops the loop
}  # fmt: skip
ADVICE = "have it call a task with a countdown instead of waiting itself, or raise `jobs_worker.patience_s`"
LEFT = "it was cancelled, and goes on behind the block: let asyncio.CancelledError pass, and threads end"


@all_awaited
class Workers:
    """Runs the workers of one test: `async with jobs_worker(tasks=[...]) as worker:`.

    Their keys in Redis begin with a prefix that no other test has, so tests may run at the same time, on any Redis.
    Inside the block `.delay()` uses them; so does every `connect()`, whatever its address.
    """

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self.prefix = f"{{jobs-test-{uuid4().hex[:12]}}}:"  # in braces: one slot of a cluster
        self._real_ms, self._ahead_ms = (time.time() - time.monotonic()) * 1000, 0
        self.running: list[Any] = []
        self.began, self.ended, self.next_due = False, 0, list[str]()
        """Has a worker run? How many runs of jobs have ended? What schedules and ids are due next?"""
        self.patience_s: float = 10
        """How many real seconds it may take until nothing is left to do."""

    @contextlib.asynccontextmanager
    async def __call__(self, settings: type | None = None, /, **options: Any) -> AsyncIterator[Worker]:
        """Run a worker in this event loop until the block ends; what it runs then is cancelled, and waits again.

        *options* are those of `worker_settings()`, without `redis_url`; `queues` are those of its tasks. Or give the
        *settings* that it returned; then *options* replace those of arq's Worker. What keeps the worker from starting
        is raised here.
        """
        if not isinstance(settings, type | None) or "redis_url" in options:
            raise SettingsMistake(
                "jobs_worker() takes tasks=[...] and more options of worker_settings(), or the class that it returned. "
                "The Redis is that of the fixture jobs_redis_url"
            )
        made = settings or _serving_its_tasks(self._url, options)
        given = {name: value for name, value in {**vars(made), **options}.items() if name in OF_THE_CONNECTION}
        pool = JobsRedis(RedisURL.read(self._url).pool(**POOL_OPTIONS), prefix=self.prefix, **given)
        pool.auto_close_connection_pool = pool.wins = pool.replays = True
        worker: Any = create_worker(made, **{**(options if settings else {}), **IN_TESTS, "redis_pool": pool})
        with default.connected(pool):
            self.running.append(worker)
            try:
                await self.set_clock(0)
                await pool.notifications.wait_until_ended("")  # from here on it hears of each end at once
                main = worker.main_task = asyncio.create_task(worker.main())
                deadline = time.monotonic() + self.patience_s
                while not (worker.statistics().name or main.done() or time.monotonic() > deadline):
                    await asyncio.wait([main], timeout=PAUSE_S)
                if main.done():
                    await main
                if not worker.statistics().name:
                    raise self._late([], "on_startup", "raise `jobs_worker.patience_s`")
                yield worker
            finally:
                self.running.remove(worker)
                closing = asyncio.create_task(worker.close())
                if (await asyncio.wait([closing], timeout=self.patience_s))[0]:
                    await closing
                else:
                    jobs, hook = (worker.engine.held.values(), "on_shutdown") if worker.engine else ([], "on_startup")
                    error = self._late(jobs, hook, LEFT)
                    closing.cancel()
                    await asyncio.wait([closing], timeout=10)  # the engine gives up sooner
                    await pool.aclose(True)
                    if (failure := sys.exception()) is None:
                        raise error
                    failure.add_note(str(error))

    def _late(self, jobs: Iterable[Any], otherwise: str, advice: str = ADVICE) -> QuarqError:
        what = ", ".join(sorted(f"{held.call.task}[{held.job.id}]" for held in jobs)) or otherwise
        return QuarqError(f"{what} has not ended after {self.patience_s:g} real seconds: {advice}")

    @property
    def now_ms(self) -> float:
        """The workers' time: that of Redis, and how far it was moved. In ms since 1970."""
        return time.monotonic() * 1000 + self._real_ms + self._ahead_ms

    async def until_idle(self) -> float:
        """Wait until no job runs and none is due. One that waits for other jobs does not count as running.

        Returns when the next job or schedule is due, in ms since 1970; LAST_MS if none is. QuarqError: no worker runs,
        or what is not done after `patience_s`.
        """
        deadline, looks = time.monotonic() + self.patience_s, 0
        while looks < LOOKS:
            is_due, next_ms = await self._look()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            running = [job for one in self.running for job in one.engine.held.values() if job.slot.held or job.outcome]
            hooks = any(worker.engine.hooks.tasks for worker in self.running)
            clients = [worker.pool._loops.here() for worker in self.running]
            sends = any(client.sender.sending or client.pool._in_use_connections for client in clients)
            busy = is_due or running or hooks or sends
            looks = 0 if busy else looks + 1
            if busy and time.monotonic() > deadline:
                raise self._late(running, "after_job_end" if hooks else "what is due, or asked of Redis,")
            await asyncio.sleep(PAUSE_S if busy else 0)
        return next_ms

    async def set_clock(self, ms: float, on_move: Callable[[datetime], Any] | None = None) -> None:
        """Make it that time in ms since 1970, unless it is later and a worker runs; then call *on_move* with it."""
        if self.running:
            seconds, microseconds = await self.running[0].pool.time()
            self.began = True
            self._real_ms = seconds * 1000 + microseconds / 1000 - time.monotonic() * 1000
        ahead_ms = math.ceil(ms - self.now_ms)
        self._ahead_ms += max(ahead_ms, 0) if self.running else ahead_ms
        if on_move is not None and inspect.isawaitable(answer := on_move(moment_of(self.now_ms))):
            await answer
        for worker in self.running:
            await worker.pool.set(worker.pool.key.CLOCK, self._ahead_ms)
            if worker.engine is not None:
                worker.engine.waker.wake()
                worker.scheduler.woken.set()

    async def _look(self) -> tuple[bool, float]:
        """Is a job or a schedule due, and when is the next one?"""
        if not self.running or any(worker.main_task.done() for worker in self.running):
            raise QuarqError("no worker runs, or one has ended: call this inside `async with jobs_worker(...):`")
        self.ended = sum(sum(worker.engine.counts.values()) for worker in self.running)
        pool = self.running[0].pool
        queues = {queue for worker in self.running for queue in worker.engine.queues}
        held = {job_id for worker in self.running for job_id in worker.engine.held}
        schedules = [due for worker in self.running for due in worker.scheduler.next_moments.items()]
        dues = [(moment.timestamp() * 1000, f"schedule {name}") for name, moment in schedules]
        async with pool.pipeline() as pipe:
            pipe.time().smembers(pool.key.PAUSED).zrange(pool.key.SCHEDULES_DUE, 0, 0, withscores=True)
            for queue in queues:
                pipe.zrange(pool.key.queue_key(queue), 0, len(held), withscores=True)
            (seconds, microseconds), paused, stored, *heads = await pipe.execute()
        dues += [(whole_ms(score), f"schedule {name.decode()}") for name, score in stored]
        for queue, head in zip(queues, heads, strict=True):
            if queue.encode() not in paused:
                dues += [(whole_ms(score), job_id.decode()) for job_id, score in head if job_id.decode() not in held]
        next_ms = min(dues, default=(LAST_MS, ""))[0]
        self.next_due = [what for due, what in dues if due == next_ms]
        return next_ms <= seconds * 1000 + microseconds / 1000 + self._ahead_ms, next_ms

    async def named(self, due: list[str]) -> str:
        """What was in `next_due`, jobs with their tasks."""
        pool = self.running[0].pool
        tasks = [await pool.hget(pool.key.RECORD + what, "task") for what in due]
        return ", ".join(f"{task.decode()}[{what}]" if task else what for task, what in zip(tasks, due, strict=True))

    def forget(self) -> None:
        """Delete all keys of the test, if a worker has run."""
        pool = RedisURL.read(self._url).pool()
        kind = getattr(redis.connection, pool.connection_class.__name__)  # the same, without asyncio
        with redis.Redis(connection_pool=redis.ConnectionPool(kind, **pool.connection_kwargs)) as client:
            for key in client.scan_iter(f"{self.prefix}*", count=1000) if self.began else ():
                client.unlink(key)


def _serving_its_tasks(redis_url: str, options: dict[str, Any]) -> Any:
    made: Any = worker_settings(redis_url=redis_url, **options)
    if not {"queues", "queue_name"} & options.keys():
        queues = (function.task.options.queue for function in made.functions if isinstance(function, TaskFunction))
        made.queues = [*dict.fromkeys((*made.queues, *queues))]
    return made
