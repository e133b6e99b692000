"""Which workers are there, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobs import keys
from jobs.clock import moment_of, now_ms
from jobs.connection import JobsRedis
from jobs.stored import whole

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
    names = [
        name.decode(errors="replace")
        for name in await connection.zrange(keys.WORKERS, since, 2**62, byscore=True)
    ]
    if not names:
        return []
    listening = await connection.pubsub_numsub(*(keys.CONTROL + name for name in names))
    there = {channel for channel, count in listening if count}
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(keys.WORKER + name)
        facts = await pipe.execute()
    return [
        _read(name, told)
        for name, told in sorted(zip(names, facts, strict=True))
        if told and ((keys.CONTROL + name).encode() in there or told.get(b"deaf") == b"1")
    ]


async def tell(connection: JobsRedis, worker: str, word: str) -> bool:
    """Say `quiet` or `shutdown` to a worker; False if it does not listen."""
    return bool(await connection.publish(keys.CONTROL + worker, word))


def _read(name: str, facts: Mapping[bytes, bytes]) -> WorkerInfo:
    told: dict[str, Any] = {
        fact.decode(errors="replace"): value.decode(errors="replace") for fact, value in facts.items()
    }
    number = {fact: whole(value) for fact, value in told.items()}
    return WorkerInfo(
        name=name,
        host=told.get("host", ""),
        pid=number.get("pid", 0),
        python=told.get("python", ""),
        arq=told.get("arq", ""),
        quarq=told.get("quarq", ""),
        memory_mb=number.get("memory_mb", 0),
        started=_moment(number.get("started", 0)),
        queues=_words(told.get("queues", "")),
        tasks=_words(told.get("tasks", "")),
        max_jobs=number.get("max_jobs", 0),
        running=number.get("running", 0),
        busy=number.get("busy", 0),
        quiet=told.get("quiet") == "1",
        up_s=number.get("up_s", 0),
        seen=_moment(number.get("seen", 0)),
        counts={fact.removeprefix("count_"): n for fact, n in number.items() if fact.startswith("count_")},
    )


def _moment(ms: int) -> datetime:
    return moment_of(ms)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
