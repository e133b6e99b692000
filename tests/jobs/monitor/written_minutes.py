"""Counters of minutes before this one, as workers write them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgpack

from jobs.client.connection import JobsRedis
from jobs.monitor_site.packed_minutes import PLACES
from jobs.store.keys import Keys
from jobs.store.store import now_ms


async def note_depths(connection: JobsRedis, *due: int) -> None:
    """As a worker notes how much is due in `default`, in the minutes before this one."""
    this = await now_ms(connection) // 60_000
    for before, n in enumerate(reversed(due), 1):
        fields = {"|due|default": n, "|oldest|default": 1, "tests.nap|SUCCESS": 30, "tests.nap|run|11": 30}
        fields |= {"tests.nap|run_ms": 30 * 2_000, "jobs.workflow|SUCCESS": 9, "jobs.workflow|run_ms": 9 * 3_600_000}
        fields |= {"jobs.workflow|run|22": 9}  # it takes no slot while its steps run
        await connection.hset(f"{Keys.STATS}{this - before}", mapping=fields)
        await connection.expire(f"{Keys.STATS}{this - before}", 60)


def packed(fields: Mapping[str, int]) -> dict[str, int | bytes]:
    """The same counters as this release writes them: one field for each task."""
    found, tasks = dict[str, int | bytes](), dict[str, list[int]]()
    for field, n in fields.items():
        if field.startswith("|"):
            found[field] = n
            continue
        task, what = re.fullmatch(r"(.+?)\|([A-Z]+|[a-z]+_ms|[a-z]+\|\d+)", field).groups()  # type: ignore[union-attr]
        kind, _, bucket = what.partition("|")
        key = (int(bucket) if bucket else what.removesuffix("_ms")) if kind[0].islower() else what
        part = {"wait": 1, "run": 2}[kind] if bucket else 3 if kind[0].islower() else 0
        tasks.setdefault(task, []).extend([PLACES.index((part, key)), n])
    return found | {f"={task}": msgpack.packb(numbers) for task, numbers in tasks.items()}
