"""Metrics of jobs, workers, queues, schedules and Redis. Without arguments, ids, addresses and names of workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from app.context import redis
from app.metrics.text import Family
from jobs import monitor

MAX_LABELLED = 200
"""Tasks, queues and schedules with labels of their own. Bounds label cardinality when names are made from data."""
OTHERS = "(others)"
T = TypeVar("T")


async def measured() -> list[Family]:
    """All these metrics, as they are now in Redis."""
    connection = redis()
    now = datetime.fromtimestamp((await connection.time())[0], UTC)
    known = {task.name for task in await monitor.tasks(connection) if task.declared}
    return [
        *_ended(await monitor.totals(connection), known),
        *_queues(await monitor.queues(connection), await monitor.workers(connection)),
        *_schedules(await monitor.schedules(connection), now),
        *_broker(await monitor.broker(connection)),
    ]


def _ended(totals: dict[str, monitor.Count], known: Iterable[str]) -> Iterator[Family]:
    """All-time counters. They decrease only when Redis is emptied, which Prometheus treats as a restart."""
    finished = Family("quarq_jobs_finished_total", "counter", "Jobs that ended, by outcome.")
    retried = Family("quarq_jobs_retried_total", "counter", "Attempts that ended in a retry.")
    waits = Family("quarq_job_wait_seconds", "histogram", "From the moment a job was due to its start.")
    runs = Family("quarq_job_run_seconds", "histogram", "How long the attempts ran that ended their jobs.")
    for task, count in _bounded(totals, known).items():
        for state in ("SUCCESS", "FAILURE", "REVOKED"):
            finished.add(count.of(state), task=task, outcome=state.lower())
        retried.add(count.of("RETRY"), task=task)
        waits.add_times(count.wait, count.wait_ms / 1000, task=task)
        runs.add_times(count.run, count.run_ms / 1000, task=task)
    yield from (finished, retried, waits, runs)


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
        for state, n in count.states.items():
            total.states[state] = total.of(state) + n
        for mine, more in (total.wait, count.wait), (total.run, count.run):
            for bucket, n in more.items():
                mine[bucket] = mine.get(bucket, 0) + n
        total.wait_ms += count.wait_ms
        total.run_ms += count.run_ms
    return total


def _queues(queues: list[monitor.QueueInfo], workers: list[monitor.WorkerInfo]) -> Iterator[Family]:
    serving = Family("quarq_workers", "gauge", "Workers online that serve the queue and take new jobs.")
    depth = Family("quarq_queue_jobs", "gauge", "Jobs of a queue: due, scheduled for later, running.")
    oldest = Family("quarq_queue_oldest_due_seconds", "gauge", "How long the oldest due job has been due.")
    paused = Family("quarq_queue_paused", "gauge", "1 while nothing is taken from the queue.")
    served_first = sorted(queues, key=lambda queue: not queue.workers)
    labelled, rest = served_first[:MAX_LABELLED], served_first[MAX_LABELLED:]
    for queue in labelled:
        taking = [worker for worker in workers if queue.name in worker.queues and not worker.quiet]
        serving.add(len(taking), queue=queue.name)
        for state in ("due", "scheduled", "running"):
            depth.add(getattr(queue, state), queue=queue.name, state=state)
        oldest.add(queue.oldest_due_s, queue=queue.name)
        paused.add(queue.paused, queue=queue.name)
    if rest:
        for state in ("due", "scheduled", "running"):
            depth.add(sum(getattr(queue, state) for queue in rest), queue=OTHERS, state=state)
        oldest.add(max(queue.oldest_due_s for queue in rest), queue=OTHERS)
    slots = Family("quarq_worker_slots", "gauge", "Jobs that all workers online can run at once.")
    busy = Family("quarq_worker_slots_busy", "gauge", "Slots in use.")
    slots.add(sum(worker.max_jobs for worker in workers))
    busy.add(sum(worker.busy for worker in workers))
    yield from (serving, depth, oldest, paused, slots, busy)


def _schedules(schedules: list[monitor.ScheduleInfo], now: datetime) -> Iterator[Family]:
    last = Family("quarq_schedule_last_run_timestamp_seconds", "gauge", "When the schedule last fired.")
    overdue = Family("quarq_schedule_overdue_seconds", "gauge", "Since when its next moment is past; 0 if not.")
    for schedule in _some(schedules):
        if schedule.last_run is not None:
            last.add(schedule.last_run.timestamp(), schedule=schedule.name)
        waits = schedule.next_run is not None and not schedule.paused
        late = now - schedule.next_run if waits and schedule.next_run else timedelta(0)
        overdue.add(max(late.total_seconds(), 0), schedule=schedule.name)
    yield from (last, overdue)


def _broker(broker: monitor.Broker) -> Iterator[Family]:
    memory = Family("quarq_redis_memory_bytes", "gauge", "Memory that Redis uses.")
    limit = Family("quarq_redis_memory_limit_bytes", "gauge", "Its maxmemory; 0: none.")
    evicts = Family("quarq_redis_evicts", "gauge", "1 if Redis throws data away when its memory is full.")
    memory.add(broker.memory)
    limit.add(broker.limit)
    evicts.add(broker.policy not in ("noeviction", "?"))
    yield from (memory, limit, evicts)


def _some(things: Iterable[T]) -> Iterable[T]:
    return islice(things, MAX_LABELLED)
