"""Which workers are online, what each reports about itself, and with it what decides at a moment whether jobs start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...client.connection import JobsRedis
from ...store.keys import WORKER_SILENT_MS
from ...store.notifications import TERMINAL
from ...store.store import now, now_ms
from ...store.stored_values import read_as, text, texts, whole
from .job_row import JobRow


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker has reported about itself, a few seconds ago at most."""

    name: str
    host: str
    pid: int
    python: str
    arq: str
    quarq: str  # Its versions; '' where a package is used without being installed.
    version: str  # Of the application's code, as its worker settings or environment call it; '' for none.
    memory_mb: int  # What its process takes, in MB (2^20 bytes).
    started: datetime
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    max_jobs: int
    running: int  # Jobs that it holds.
    busy: int  # Slots in use: a job that waits for others uses none.
    quiet: bool
    up_s: int
    lag_ms: int  # How late its event loop was, at most, since it had reported before.
    seen: datetime
    counts: Mapping[str, int] = field(default_factory=dict)  # Outcomes by state since it started.


async def online(connection: JobsRedis) -> list[WorkerInfo]:
    """The workers that answer: seen within WORKER_SILENT_MS, and listening to their channel now, if Redis lets them."""
    since = await now_ms(connection) - WORKER_SILENT_MS
    names = list(map(text, await connection.zrange(connection.key.WORKERS, since, 2**62, byscore=True)))
    if not names:
        return []
    listening = await connection.pubsub_numsub(*(connection.key.CONTROL + name for name in names))
    there = {channel for channel, count in listening if count}
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(connection.key.WORKER + name)
        facts = await pipe.execute()
    return [
        info_of(name, about)
        for name, about in sorted(zip(names, facts, strict=True))
        if about and ((connection.key.CONTROL + name).encode() in there or about.get(b"deaf") == b"1")
    ]


def info_of(name: str, about: Mapping[bytes, bytes]) -> WorkerInfo:
    """What its hash has."""
    counts = {fact.removeprefix("count_"): whole(n) for fact, n in texts(about).items() if fact.startswith("count_")}
    return read_as(WorkerInfo, about, name=name, counts=counts)


@dataclass(frozen=True)
class Situation:
    at: datetime
    workers: Sequence[WorkerInfo]
    paused: frozenset[str]

    def serving(self, queue: str) -> list[WorkerInfo]:
        """The workers that take jobs of a queue: quiet ones do not."""
        return [worker for worker in self.workers if queue in worker.queues and not worker.quiet]

    def knowing(self, row: JobRow) -> list[WorkerInfo]:
        return [worker for worker in self.serving(row.queue) if row.task in worker.tasks]

    def codes(self, row: JobRow) -> list[str]:
        """The code of each Reason why a job does not run, or of what it does; a list shows the first one."""
        if row.state in TERMINAL:
            return ["ended"]
        if row.hold in ("running", "stopping", "suspended"):
            return [row.hold]
        if row.state == "STARTED" and row.hold != "suspect":
            return ["children" if row.kind == "workflow" else "running"]
        return self._held_back(row)

    def _held_back(self, row: JobRow) -> list[str]:
        is_later = row.state != "STARTED" and row.due is not None and row.due > self.at
        expires, knowing = None if row.attempts else row.expires, self.knowing(row)
        is_over = expires is not None and expires <= self.at
        checks = [
            ("expired", is_over),
            ("due", is_later),
            ("suspect", row.hold == "suspect" and not is_later),
            ("paused", row.queue in self.paused),
            ("no-worker", not self.serving(row.queue)),
            ("unknown-task", self.serving(row.queue) and not knowing),
            (row.hold, row.hold.endswith("-limit")),
            ("busy", knowing and not is_later and all(worker.busy >= worker.max_jobs for worker in knowing)),
        ]
        found = [code for code, is_so in checks if is_so] or ["next"]
        return [*found, "expires"] if expires and not is_over else found


async def situation(connection: JobsRedis) -> Situation:
    paused = await connection.smembers(connection.key.PAUSED)  # type: ignore[misc]
    return Situation(await now(connection), await online(connection), frozenset(map(text, paused)))


async def with_reasons(connection: JobsRedis, rows: Sequence[JobRow]) -> list[JobRow]:
    """The rows, each with its first reason."""
    if all(row.state in TERMINAL for row in rows):  # then nothing has to be asked for
        return [replace(row, reason="ended") for row in rows]
    at_hand = await situation(connection)
    return [replace(row, reason=at_hand.codes(row)[0]) for row in rows]
