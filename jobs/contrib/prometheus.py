"""Metrics for Prometheus, of the jobs in a Redis. Without arguments, ids, addresses and names of workers.

Needs prometheus_client. All figures come from Redis, so every process that serves them reports the same.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from prometheus_client import REGISTRY, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from .. import monitor
from ..client.connection import JobsRedis
from ..monitor_site.forecasting import held_by_limits
from ..tasks.declarations import known_tasks
from ..worker.lease_renewer import Statistics
from ..worker.process import memory_mb
from .port import Answer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_LABELLED = 200
"""Tasks, queues and schedules with labels of their own. Bounds label cardinality when names are made from data."""
OTHERS = "(others)"
MOST_BUCKETS = 24
"""Buckets end at powers of two of a millisecond. The last one ends at 2^23 ms, about 2.3 hours."""
T = TypeVar("T")


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return (family for family in self._families if family.samples)


def written(families: Iterable[Metric]) -> str:
    """The families in Prometheus' text format, see CONTENT_TYPE. Omits families without samples."""
    return generate_latest(_Given(families)).decode()


async def of_jobs(connection: JobsRedis) -> list[Metric]:
    """Jobs, workers, queues, schedules and Redis, as they are now. Errors are those of the connection."""
    known = await known_tasks(connection)
    return [
        *_ended(await monitor.totals(connection), known),
        *_queues(await monitor.queues(connection), await monitor.workers(connection)),
        *_limits(await held_by_limits(connection)),
        *_schedules(await monitor.schedules(connection, most=MAX_LABELLED), await monitor.now(connection)),
        *_stored(*await monitor.overdue(connection)),
        *_broker(await monitor.broker(connection)),
    ]


def of_worker(worker: Statistics) -> list[Metric]:
    """What this worker process does: its counters begin at 0 when it starts."""
    ended = CounterMetricFamily("quarq_process_attempts_total", "Attempts that ended, by outcome.", labels=["outcome"])
    for state, n in worker.counts.items():
        ended.add_metric([state.lower()], n)
    return [
        GaugeMetricFamily("quarq_process_slots", "Jobs that this process can run at once.", worker.slots),
        GaugeMetricFamily("quarq_process_slots_busy", "Its slots in use.", worker.busy),
        GaugeMetricFamily(
            "quarq_process_jobs_held", "Jobs that it runs, has waiting, or has yet to record.", worker.running
        ),
        GaugeMetricFamily("quarq_process_quiet", "1 while an operator keeps it from taking jobs.", worker.quiet),
        GaugeMetricFamily("quarq_process_memory_bytes", "Memory that it takes.", memory_mb() * 2**20),
        CounterMetricFamily("quarq_process_jobs_started_total", "Jobs that it started.", worker.started),
        ended,
    ]


async def answer(query: str, redis: JobsRedis, queues: Sequence[str], statistics: Callable[[], Statistics]) -> Answer:
    """`/metrics` of a worker's port: its own figures, those of all jobs, and what the application has registered."""
    ours = written([*of_worker(statistics()), *await of_jobs(redis)])
    theirs = await asyncio.to_thread(generate_latest, REGISTRY)  # a collector may take its time
    return Answer(200, ours + theirs.decode(), CONTENT_TYPE)


def _ended(totals: dict[str, monitor.Count], known: Iterable[str]) -> Iterator[Metric]:
    """All-time counters. They decrease only when Redis is emptied, which Prometheus treats as a restart."""
    labels = ["task", "outcome"]
    finished = CounterMetricFamily("quarq_jobs_finished_total", "Jobs that ended, by outcome.", labels=labels)
    retried = CounterMetricFamily("quarq_jobs_retried_total", "Attempts that ended in a retry.", labels=["task"])
    folded = CounterMetricFamily(
        "quarq_jobs_folded_total", "Calls of unique tasks that became a job that was there.", labels=["task"]
    )
    wait, run = "From the moment a job was due to its start.", "How long the attempts ran that ended their jobs."
    waits = HistogramMetricFamily("quarq_job_wait_seconds", wait, labels=["task"])
    runs = HistogramMetricFamily("quarq_job_run_seconds", run, labels=["task"])
    for task, count in _bounded(totals, known).items():
        for state in ("SUCCESS", "FAILURE", "REVOKED"):
            finished.add_metric([task, state.lower()], count.states[state])
        retried.add_metric([task], count.states["RETRY"])
        folded.add_metric([task], count.states["FOLDED"])
        waits.add_metric([task], _cumulated(count.wait), count.ms["wait"] / 1000)
        runs.add_metric([task], _cumulated(count.run), count.ms["run"] / 1000)
    yield from (finished, retried, folded, waits, runs)


def _cumulated(buckets: dict[int, int]) -> list[tuple[str, int]]:
    """The buckets as Prometheus wants them: how many took less than each time. Bucket n ends at 2^n ms."""
    seen, rows = 0, []
    for bucket in range(MOST_BUCKETS):
        seen += buckets.get(bucket, 0)
        rows.append((f"{2**bucket / 1000:g}", seen))
    return [*rows, ("+Inf", sum(buckets.values()))]


def _bounded(totals: dict[str, monitor.Count], known: Iterable[str]) -> dict[str, monitor.Count]:
    """The counts by declared task, and the sum of all others, because producers can invent task names."""
    named = {task: totals[task] for task in _some(sorted(known)) if task in totals}
    strange = [count for task, count in totals.items() if task and task not in named]
    if strange:
        named[OTHERS] = _sum(strange)
    return named


def _sum(counts: Sequence[monitor.Count]) -> monitor.Count:
    total = monitor.Count()
    for count in counts:
        for part, sums in vars(total).items():
            sums.update(getattr(count, part))
    return total


def _queues(queues: list[monitor.QueueInfo], workers: list[monitor.WorkerInfo]) -> Iterator[Metric]:
    serving = _gauge("quarq_workers", "Workers online that serve the queue and take new jobs.", "queue")
    depth = _gauge("quarq_queue_jobs", "Jobs of a queue: due, scheduled for later, running.", "queue", "state")
    oldest = _gauge("quarq_queue_oldest_due_seconds", "How long the oldest due job has been due.", "queue")
    paused = _gauge("quarq_queue_paused", "1 while nothing is taken from the queue.", "queue")
    served_first = sorted(queues, key=lambda queue: not queue.workers)
    labelled, rest = served_first[:MAX_LABELLED], served_first[MAX_LABELLED:]
    for queue in labelled:
        taking = [worker for worker in workers if queue.name in worker.queues and not worker.quiet]
        serving.add_metric([queue.name], len(taking))
        for state in ("due", "scheduled", "running"):
            depth.add_metric([queue.name, state], getattr(queue, state))
        oldest.add_metric([queue.name], queue.oldest_due_s)
        paused.add_metric([queue.name], queue.paused)
    if rest:
        for state in ("due", "scheduled", "running"):
            depth.add_metric([OTHERS, state], sum(getattr(queue, state) for queue in rest))
        oldest.add_metric([OTHERS], max(queue.oldest_due_s for queue in rest))
    yield from (serving, depth, oldest, paused)
    slots, busy = sum(worker.max_jobs for worker in workers), sum(worker.busy for worker in workers)
    yield GaugeMetricFamily("quarq_worker_slots", "Jobs that all workers online can run at once.", slots)
    yield GaugeMetricFamily("quarq_worker_slots_busy", "Slots in use.", busy)


def _limits(held: dict[str, int]) -> Iterator[Metric]:
    waiting = _gauge("quarq_limit_waiting_jobs", "Jobs that wait for a limit, of the task or of a key of it.", "task")
    for task, jobs in _some(sorted(held.items())):
        waiting.add_metric([task], jobs)
    yield waiting


def _schedules(schedules: list[monitor.ScheduleInfo], now: datetime) -> Iterator[Metric]:
    last = _gauge("quarq_schedule_last_run_timestamp_seconds", "When the schedule last fired.", "schedule")
    overdue = _gauge("quarq_schedule_overdue_seconds", "Since when its next moment is past; 0 if not.", "schedule")
    for schedule in (one for one in schedules if one.declared):  # they are the first that are read
        if schedule.last_run is not None:
            last.add_metric([schedule.name], schedule.last_run.timestamp())
        waits = schedule.next_run is not None and not schedule.paused
        late = now - schedule.next_run if waits and schedule.next_run else timedelta(0)
        overdue.add_metric([schedule.name], max(late.total_seconds(), 0))
    yield from (last, overdue)


def _stored(overdue: int, overdue_s: float) -> Iterator[Metric]:
    """Of all stored schedules together: their names are made from data."""
    help = "Stored schedules that are due for more than a second, and no worker has looked at."
    yield GaugeMetricFamily("quarq_stored_schedules_overdue", help, overdue)
    help = "Since when the first of them is due; 0 if none is."
    yield GaugeMetricFamily("quarq_stored_schedules_overdue_seconds", help, overdue_s)


def _broker(broker: monitor.Broker) -> Iterator[Metric]:
    evicts = broker.info.get("maxmemory_policy", "noeviction") != "noeviction"
    yield GaugeMetricFamily("quarq_redis_memory_bytes", "Memory that Redis uses.", broker.info.get("used_memory", 0))
    yield GaugeMetricFamily(
        "quarq_redis_memory_limit_bytes", "Its maxmemory; 0: none.", broker.info.get("maxmemory", 0)
    )
    yield GaugeMetricFamily("quarq_redis_evicts", "1 if Redis throws data away when its memory is full.", evicts)


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=labels)


def _some(things: Iterable[T]) -> Iterable[T]:
    return islice(things, MAX_LABELLED)
