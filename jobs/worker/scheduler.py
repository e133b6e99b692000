"""Fires schedules: each due moment once among any number of workers, a missed one once if it is not too old."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import import_module
from math import inf
from typing import Any

from arq.cron import CronJob
from arq.utils import to_unix_ms

from ..client.connection import JobsRedis
from ..client.decorator import Task
from ..errors import QueueUnavailable
from ..schedules.schedule import Schedule, latest_of, next_of
from ..store import store
from ..store.call import packed_key
from ..store.cancellation import wait_at_most
from ..store.outage import Outage
from ..store.stored_values import moment_of, text, whole
from ..tasks import registry
from ..tasks.declarations import KnownTask

logger = logging.getLogger("arq.worker.jobs")

LOOKED_AT_ONCE = 500  # Stored schedules, see due.lua.
MOMENTS_SHOWN = 5  # How many of a schedule's next moments are stored, for pages.
LONGEST_SLEEP_S = 30  # How often the clock is compared with Redis' again; a worker's own clock may be set meanwhile.
DECLARE_AGAIN_S = 60  # How often a worker declares its schedules. One that none has declared for a while is gone.


class Scheduler:
    """The schedules of one worker, and those stored. Redis' clock decides; what was fired last is remembered there."""

    def __init__(self, redis: JobsRedis, cron_jobs: Sequence[CronJob], queue: str, zone: tzinfo | None) -> None:
        self._redis = redis
        self._cron_jobs = cron_jobs
        self._queue = queue
        self._zone = zone or UTC
        self.next_moments: dict[str, datetime] = {}  # Of each schedule by its name; one in the past is about to fire.
        self.woken = asyncio.Event()  # Set: it looks at the clock now.
        self._outage, self._outage_of_stored = Outage("fire schedules"), Outage("fire stored schedules")
        self._declared = datetime.min.replace(tzinfo=UTC)

    async def catch_up(self) -> None:
        """Fire what was missed while no worker ran, once each; to be called before `run_forever`."""
        if self._cron_jobs:
            await self._outage.keep_trying(self._catch_up)

    async def run_forever(self) -> None:
        """Fire each moment as it comes; while Redis is away, a moment stays due. It is woken after a silence and when a
        schedule is stored, and looks for stored ones then."""
        while True:
            await self._outage.keep_trying(self._fire_due)

    async def _catch_up(self) -> None:
        now = await self._now()
        for job in self._cron_jobs:
            last = await self._redis.execute_command("HGET", self._redis.key.SCHEDULE + job.name, "last")
            missed = latest_of(job, moment_of(whole(last)).astimezone(self._zone), now) if last else None
            if missed is not None:
                await self._fire(job, missed, now, "missed")
            self.next_moments[job.name] = next_of(job, now)
            if job.run_at_startup:
                await self._start(job, f"{job.name}:{round(now.timestamp() * 1000)}")
        await self._declare_all(now)

    async def _declare_all(self, now: datetime) -> None:
        for job in self._cron_jobs:
            await self._fire(job, now, now, "declared")
        self._declared = now

    async def _fire_due(self) -> None:
        self.woken.clear()
        wait_s = 1.0  # if that fails
        async with self._outage_of_stored.attempt():  # it keeps no declared one waiting
            wait_s = await fire_stored(self._redis)
        if self._cron_jobs:
            wait_s = min(wait_s, await self._fire_declared())
        await wait_at_most(min(wait_s, LONGEST_SLEEP_S), self.woken.wait())

    async def _fire_declared(self) -> float:
        """The seconds until the next one is due."""
        now = await self._now()
        for job in self._cron_jobs:
            due = self.next_moments[job.name]
            if due <= now:
                latest = latest_of(job, due - timedelta(milliseconds=1), now) or due
                await self._fire(job, latest, now, "due")
                self.next_moments[job.name] = job.next_run = next_of(job, now)
        if abs(now - self._declared) >= timedelta(seconds=DECLARE_AGAIN_S):
            await self._declare_all(now)
        return max((min(self.next_moments.values()) - now).total_seconds(), 0)

    async def _fire(self, job: CronJob, moment: datetime, now: datetime, how: str) -> None:
        """*how*: due; missed, before this worker was there; or declared, which fires nothing.

        A schedule that cannot be fired, because of its arguments, keeps no other and no worker waiting.
        """
        try:
            is_shared = job.unique or job.job_id  # else arq's `unique=False`: each worker runs it, also if others do
            answer = await self.run_script(job, moment, now, how) if is_shared else None
            if how == "due" and not is_shared:
                await self._start(job, None)
        except QueueUnavailable:
            raise
        except Exception:
            logger.exception("schedule %s: its run cannot be started", job.name)
            return
        if answer == b"stored":
            logger.error("schedule %s: a stored schedule has this name, and fires; rename one of them", job.name)
        elif answer in (b"skipped", b"paused"):
            logger.warning("schedule %s: the run of %s was not started: %s", job.name, moment, text(answer))
        elif answer == b"fired" and how == "missed":
            logger.info("schedule %s: the run of %s was missed and is caught up", job.name, moment)

    async def _start(self, job: CronJob, job_id: str | None) -> None:
        """Enqueue one of arq's cron jobs; its own `job_id`, if it has one, makes it run once at a time."""
        queue = self._redis.key.queue_key(self._queue)
        await self._redis.enqueue_job(job.name, _job_id=job.job_id or job_id, _queue_name=queue)

    async def run_script(self, job: CronJob, moment: datetime, now: datetime, how: str) -> Any:
        """See fire.lua."""
        name, args, kwargs, when = job.name, (), {}, ""
        if isinstance(job, Schedule):
            name, args, kwargs, when = job.task, job.args, job.kwargs, job.when
        task = registry.find(name)
        own = task.options if isinstance(task, Task) else KnownTask(self._queue)  # of one of arq's functions
        expires = "" if own.expires is None else f"+{int(own.expires * 1000)}"
        payload = self._redis.encode_call(name, args, kwargs)
        coming = [next_of(job, now)]  # pages show them without having the worker's code
        while len(coming) < MOMENTS_SHOWN:
            coming.append(next_of(job, coming[-1].astimezone(self._zone)))
        window_ms = int(job.window.total_seconds() * 1000) if isinstance(job, Schedule) else 0
        [answer] = await self._redis.run_script(
            "fire", how, job.name, to_unix_ms(moment), window_ms, name, when, own.queue, payload, expires,
            job.job_id or "", to_unix_ms(coming[0]), ",".join(str(to_unix_ms(moment)) for moment in coming),
            packed_key(registry.unique_key(task, args, kwargs)),
        )  # fmt: skip
        return answer

    async def _now(self) -> datetime:
        """The time by Redis' clock, in the worker's zone."""
        return (await store.now(self._redis)).astimezone(self._zone)


async def fire_stored(redis: JobsRedis) -> float:
    """Fire all stored schedules that are due; returns the seconds until the next one is."""
    while True:
        now, head, rows = await look(redis)
        agains: list[int] = []
        if rows:
            agains = await import_module("..contrib.due_schedules", __package__).fire(redis, rows, moment_of(now))
        if len(rows) < LOOKED_AT_ONCE:
            soonest = min(agains if head < 0 else [head, *agains], default=None)
            return inf if soonest is None else max(soonest - now, 0) / 1000


async def look(redis: JobsRedis) -> tuple[int, int, list[list[bytes]]]:
    """The time, when the next one is due or -1, both in ms, and what is due: see due.lua."""
    now, head, rows = await redis.run_script("due")
    return whole(now), whole(head), rows
