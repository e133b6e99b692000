"""Which workers are online, and what each reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..client.connection import JobsRedis
from ..store.keys import WORKER_SILENT_MS
from ..store.store import now_ms
from ..store.stored_values import read_as, text, texts, whole


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
