"""Jobs as rows: the same for every command that lists some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ..monitor.masked_call import shown_call
from ..tasks.masking import call_text
from ..values.short_text import cut
from ..values.untrusted_text import printable
from .frame import Asked

ARGUMENTS = 60
"""Characters of a call's arguments in a line."""


async def calls_of(asked: Asked, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Task and masked arguments of jobs that have not ended, by id."""
    calls: dict[str, dict[str, Any]] = {}
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        payloads = await asked.redis.mget([asked.redis.key.JOB + job_id for job_id in some])
        for job_id, payload in zip(some, payloads, strict=True):
            calls[job_id] = await call_of(asked, payload)
    return calls


async def call_of(asked: Asked, payload: bytes | None) -> dict[str, Any]:
    """Task and masked arguments of a stored call or result; those that can be read."""
    shown = shown_call(asked.redis, await asked.known_tasks(), payload or b"")
    if shown is None:  # gone meanwhile, or nobody's bytes
        return {"task": "?", "args": [], "kwargs": {}}
    return {"task": shown.task, "args": shown.args, "kwargs": shown.kwargs}


def line(job_id: str, call: dict[str, Any], *more: str) -> str:
    """`id  task(arguments)  and more`."""
    shown = f"{call['task']}({call_text(call['args'], call['kwargs'], ARGUMENTS)})"
    return "  ".join([job_id, shown, *(word for word in more if word)])


def span(seconds: float) -> str:
    """`3.2 s`, `5 min`, `2 h`, `4 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def time_text(time: datetime | None) -> str:
    """A time for people."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "?"


def count(n: int, what: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def joined(names: Iterable[str], limit: int = 200) -> str:
    """Names in one line, which a prompt may show."""
    return cut(printable(", ".join(names)), limit)
