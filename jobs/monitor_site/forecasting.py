"""Queues: does what waits there grow or shrink, when will it be done, and how many slots are missing."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ..client.connection import JobsRedis
from ..client.submit import WORKFLOW_TASKS
from ..store.store import now, now_ms
from ..tasks.declarations import known_tasks
from ..values.short_text import count, duration_text, time_text
from .model.audit_log import AuditEntry, pauses
from .model.queue_list import QueueInfo, queues
from .model.search_indexes import limited
from .model.worker_list import WorkerInfo, online
from .ranges import Interval, history, last_minutes, summed

LOOK_BACK = 5  # Minutes of which the attempts are counted.
GROWS_WITHIN = 6  # Minutes within which the depth is looked at.
BURST, SPLIT = 1 / 2, 3 / 4  # What brings such a part of all that waits, within one minute or two, is no growth.
BURST_LEAST = 5  # Fewer jobs are none.
STEADY = 0.5  # A change of fewer jobs a minute is none.


@dataclass(frozen=True)
class Flow:
    """What goes in and out of a queue, in jobs a minute. None: too little is known."""

    growth: float | None  # How many more become due than start.
    out: float | None
    """Attempts that ended of the tasks that are declared for it: an estimate, a call may name another queue."""
    run_s: float | None  # How long one of these runs, on average.

    @property
    def into(self) -> float | None:
        return None if self.out is None or self.growth is None else max(self.out + self.growth, 0)


@dataclass(frozen=True)
class Forecast:
    """A queue, and where it goes."""

    queue: QueueInfo
    slots: int  # Of the workers that take its jobs; they may serve other queues too.
    depths: tuple[int | None, ...]  # How many jobs were due in each of the last 60 minutes, the last one now.
    growth: float | None  # See Flow.
    into: float | None
    out: float | None
    run_s: float | None
    drains_s: float | None  # When nothing is due any more, if it goes on like this; None: it does not shrink.
    slots_short: int
    """How many slots more would hold it, by Little's law: the growth times how long a job runs. 0: it holds, or a limit
    of its tasks holds jobs back, which no slot helps."""
    held: int  # Jobs of its tasks that wait for a rate limit or a concurrency limit; they are in `scheduled`.
    words: str
    """`drains in 6 min at 40/min`, `grows by 12/min: 3 more slots would hold it`, `steady`, or why nothing starts."""
    paused_by: AuditEntry | None

    @property
    def line(self) -> str:
        """All of it, for the command line."""
        queue, by = self.queue, self.paused_by
        oldest = f" (the oldest for {duration_text(queue.oldest_due_s)})" if queue.due else ""
        lost = f" ({queue.lapsed:,} of lost workers)" if queue.lapsed else ""
        figures = f"{queue.due:,} due{oldest}, {queue.running:,} running{lost}, {queue.scheduled:,} scheduled"
        who = f" by {by.who} since {time_text(by.at)}" if by else ""
        return f"{queue.name}: {figures}, {count(self.slots, 'slot')}: {self.words}{who}"


async def queue_forecasts(connection: JobsRedis) -> list[Forecast]:
    """Of every queue that is listed one by one, by name."""
    workers = await online(connection)
    return await forecasts(connection, workers, await queues(connection, workers), await history(connection))


async def forecasts(
    connection: JobsRedis,
    workers: Sequence[WorkerInfo],
    rows: Iterable[QueueInfo],
    minutes: Sequence[Interval],
    held: Mapping[str, int] | None = None,
) -> list[Forecast]:
    """Of these queues, by what is known already: the workers, the last 60 minutes, of which the last is now, and how
    many jobs of each task a limit holds."""
    known, lately = await known_tasks(connection), (await last_minutes(connection, LOOK_BACK, math.inf)).counts
    counted = [(about.queue, lately.get(name)) for name, about in known.items() if name not in WORKFLOW_TASKS]
    part = min(max((await now(connection) - minutes[-1].at).total_seconds() / 60, 0.01), 1)
    rows = [row for row in rows if row.name]
    by = await pauses(connection) if any(row.paused for row in rows) else {}
    held, found = await held_by_limits(connection) if held is None else held, []
    for row in rows:
        depths = (*(minute.depths.get(row.name) for minute in minutes[:-1]), row.due)
        own = summed(count for queue, count in counted if queue == row.name)
        ended, runs = sum(own.states.values()), sum(own.run.values())
        out, run_s = ended / (LOOK_BACK - 1 + part) if ended else None, own.ms["run"] / 1000 / runs if runs else None
        slots = sum(worker.max_jobs for worker in workers if worker.name in row.workers and not worker.quiet)
        flow = Flow(growth_of(depths, part), out, run_s)
        limited = sum(n for name, n in held.items() if name in known and known[name].queue == row.name)
        found.append(forecast(row, slots, flow, depths, by.get(row.name), limited))
    return found


async def held_by_limits(connection: JobsRedis) -> dict[str, int]:
    """How many jobs of each task wait for its limits: those that `state:held` finds."""
    buckets, ms, found = await limited(connection), await now_ms(connection), Counter[str]()
    async with connection.pipeline(transaction=False) as pipe:
        for _, bucket in buckets:
            pipe.zcard(connection.key.BLOCKED + bucket)
            pipe.zcount(connection.key.PLACES + bucket, f"({ms}", "+inf")
        cards = [n if isinstance(n, int) else 0 for n in await pipe.execute(raise_on_error=False)]
    for (task, _), blocked, placed in zip(buckets, cards[::2], cards[1::2], strict=True):
        found[task] += blocked + placed
    return found


def forecast(
    queue: QueueInfo, slots: int, flow: Flow, depths: tuple[int | None, ...], by: AuditEntry | None, held: int = 0
) -> Forecast:
    growth, drains_s, short = flow.growth if queue.due else None, None, 0
    words = "steady" if queue.due and growth is not None else "too new to tell" if queue.due else "empty"
    if growth is not None and growth <= -STEADY:
        drains_s = queue.due / -growth * 60
        words = f"drains in {duration_text(drains_s)} at {rate(-growth)}"
    elif growth is not None and growth >= STEADY:
        short = max(math.ceil(growth / 60 * flow.run_s), 1) if flow.run_s is not None and not held else 0
        words = f"grows by {rate(growth)}" + (f": {count(short, 'more slot')} would hold it" if short else "")
    if held:
        words = f"{words if queue.due else 'nothing else waits'}; {count(held, 'job')} held by a limit"
    if queue.paused:
        words = "paused"
    elif not slots:
        words = "no worker"
    return Forecast(
        queue, slots, depths, flow.growth, flow.into, flow.out, flow.run_s, drains_s, short, held, words, by
    )


def growth_of(depths: Sequence[int | None], part: float) -> float | None:
    """By how many jobs a minute the depth grows: the middle one of its last steps, of those since the last burst.

    The depths are a minute apart, the last one is *part* of a minute later than the one before. None: too little is
    known, as just after a burst."""
    ends = [*range(1 - GROWS_WITHIN, 1), part]
    points = [(at, n) for at, n in zip(ends, depths[-len(ends) :], strict=False) if n is not None]
    found, just_before = list[float](), 0.0
    for (before, less), (at, more) in pairwise(points):
        rise = (more - less) / max(at - before, 1)
        is_burst = rise > BURST_LEAST and (rise >= BURST * points[-1][1] or rise + just_before >= SPLIT * points[-1][1])
        if is_burst:
            found = []
        elif at - before >= 0.5:  # a shorter time says little
            found.append((more - less) / (at - before))
        just_before = rise
    return median(found) if found else None


def rate(a_minute: float) -> str:
    """`40/s`, `12/min`."""
    return f"{a_minute / 60:,.0f}/s" if a_minute >= 600 else f"{a_minute:,.0f}/min" if a_minute >= 1 else "<1/min"
