"""Which workers are there, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..client.connection import JobsRedis
from ..store.clock import now_ms
from ..store.stored_values import moment_of, text, texts, whole

SILENT_MS = 15_000
"""A worker that was not seen for so long does not count as one that serves its queues."""


@dataclass(frozen=True)
class WorkerInfo:
    """A worker in its own words, a few seconds old at most."""

    name: str
    host: str
    pid: int
    python: str
    arq: str
    quarq: str
    """Its versions; '' where a package is used without being installed."""
    memory_mb: int
    """What its process takes, in MB (2^20 bytes)."""
    started: datetime
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    max_jobs: int
    running: int
    """Jobs that it holds."""
    busy: int
    """Slots in use: a job that waits for others uses none."""
    quiet: bool
    up_s: int
    seen: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    """Outcomes by state since it started."""


async def online(connection: JobsRedis) -> list[WorkerInfo]:
    """The workers that answer: seen within SILENT_MS, and listening to their channel now, if Redis lets them."""
    since = await now_ms(connection) - SILENT_MS
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
        _read(name, told)
        for name, told in sorted(zip(names, facts, strict=True))
        if told and ((connection.key.CONTROL + name).encode() in there or told.get(b"deaf") == b"1")
    ]


def _read(name: str, facts: Mapping[bytes, bytes]) -> WorkerInfo:
    told = texts(facts)
    return WorkerInfo(
        name=name,
        host=told["host"],
        pid=whole(told["pid"]),
        python=told["python"],
        arq=told["arq"],
        quarq=told["quarq"],
        memory_mb=whole(told["memory_mb"]),
        started=moment_of(told["started"]),
        queues=_words(told["queues"]),
        tasks=_words(told["tasks"]),
        max_jobs=whole(told["max_jobs"]),
        running=whole(told["running"]),
        busy=whole(told["busy"]),
        quiet=told["quiet"] == "1",
        up_s=whole(told["up_s"]),
        seen=moment_of(told["seen"]),
        counts={
            fact.removeprefix("count_"): whole(n) for fact, n in told.items() if fact.startswith("count_")
        },
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
