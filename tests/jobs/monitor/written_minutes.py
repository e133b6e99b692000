"""Counters of minutes before this one, as workers write them."""

from __future__ import annotations

from jobs.client.connection import JobsRedis
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
