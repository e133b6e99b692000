"""The lamp: jobs that run much longer than their task usually does, and workers that are gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..client.connection import JobsRedis
from ..store.keys import WORKER_FORGOTTEN_MS, WORKER_SILENT_MS
from ..store.store import now, now_ms
from ..store.stored_values import chunked, moment, text
from ..values.short_text import count, duration_text
from .estimates import about_text
from .model.job_row import JobRow
from .model.search_indexes import ids_running
from .model.worker_list import WorkerInfo, info_of
from .ranges import PATIENCE_S, last_minutes

TIMES, LEAST_S = 3, 10.0
LOOK_BACK = 360  # Minutes.
MOST_READ = 1_000  # Running jobs that are looked at, in the order of their ids.
MOST_LOST = 100
ASKED_S = 1.0  # How long it may take to learn what is usual, where somebody asks once and for this alone.


@dataclass(frozen=True)
class LongRun:
    """A job that runs for more than TIMES its task's p95, and at least LEAST_S. One of a task without a p95 is none."""

    id: str
    task: str
    queue: str
    worker: str
    started: datetime
    run_s: float
    usual_s: float  # The p95 of its task.

    @property
    def line(self) -> str:
        times = f"runs for {duration_text(self.run_s)}, 95 of 100 for {about_text(self.usual_s)} or less"
        return f"{self.id}  {self.task}  {self.queue}  {times}"


@dataclass(frozen=True)
class LostWorker:
    """A worker that stopped reporting within the last hour, without a goodbye."""

    worker: WorkerInfo  # As it reported last: `running` is what it held then.
    silent_s: float
    waiting: tuple[str, ...]  # Jobs that no other worker has taken over yet.

    @property
    def line(self) -> str:
        name, held = self.worker.name, count(self.worker.running, "job")
        return f"{name}: silent for {duration_text(self.silent_s)}, held {held}, {len(self.waiting):,} still wait"


async def usual_s(connection: JobsRedis, patience_s: float = PATIENCE_S) -> dict[str, float]:
    """The p95 of the run time of each task that ended a job in the last LOOK_BACK minutes, in seconds; after
    *patience_s* of those minutes that are added up by then."""
    counts = (await last_minutes(connection, LOOK_BACK, patience_s)).counts
    found = {task: own.percentile("run", 95) for task, own in counts.items() if task}
    return {task: p95 for task, p95 in found.items() if p95 is not None}


def is_long(task: str, run_s: float, usual: Mapping[str, float]) -> bool:
    return task in usual and run_s > max(TIMES * usual[task], LEAST_S)


async def long_runs(connection: JobsRedis, worker: str = "", usual: Mapping[str, float] | None = None) -> list[LongRun]:
    """Those that run on one worker, or on all; those that run longest first. *usual*: if it is known already."""
    usual = await usual_s(connection, ASKED_S) if usual is None else usual
    ids, at, found = await ids_running(connection, worker), await now(connection), list[LongRun]()
    for some in chunked(ids[:MOST_READ]):
        async with connection.pipeline(transaction=False) as pipe:
            for job_id in some:
                pipe.hmget(
                    connection.key.RECORD + job_id, ["task", "queue", "worker", "received", "state", "tree", "steps"]
                )
            records = await pipe.execute()
        for job_id, (task, queue, holder, received, state, *parts) in zip(some, records, strict=True):
            started = moment(received)
            if started and state == b"STARTED" and parts == [None, None]:  # of steps and members a run is no measure
                run_s, p95 = (at - started).total_seconds(), usual.get(text(task), 0)
                run = LongRun(job_id, text(task), text(queue), text(holder), started, run_s, p95)
                found += [run] if is_long(run.task, run_s, usual) else []
    return sorted(found, key=lambda run: -run.run_s)


async def long_run(connection: JobsRedis, row: JobRow) -> LongRun | None:
    """This job, if it is one of them."""
    if row.state != "STARTED" or row.started is None or row.kind == "workflow":
        return None
    if await connection.hexists(connection.key.RECORD + row.id, "steps"):  # type: ignore[misc]
        return None
    usual, run_s = await usual_s(connection), (await now(connection) - row.started).total_seconds()
    if not is_long(row.task, run_s, usual):
        return None
    return LongRun(row.id, row.task, row.queue, row.worker, row.started, run_s, usual[row.task])


async def lost_workers(connection: JobsRedis) -> list[LostWorker]:
    """The last one first."""
    ms = await now_ms(connection)
    seen = ms - WORKER_FORGOTTEN_MS, ms - WORKER_SILENT_MS
    names = await connection.zrange(
        connection.key.WORKERS, seen[1], seen[0], desc=True, byscore=True, offset=0, num=MOST_LOST
    )
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(connection.key.WORKER + text(name))
        facts: Sequence[Mapping[bytes, bytes]] = await pipe.execute()
    found = []
    for name, about in zip(map(text, names), facts, strict=True):
        if about:
            worker, held = info_of(name, about), await ids_running(connection, name)
            found.append(LostWorker(worker, ms / 1000 - worker.seen.timestamp(), tuple(held)))
    return found
