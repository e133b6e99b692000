"""How many jobs a query finds."""

import math

from ..client.connection import JobsRedis
from ..monitor.search import steps
from ..monitor.wanted import Wanted


async def count(
    connection: JobsRedis, wanted: Wanted, limit: int = 10_000, patience_s: float = math.inf
) -> tuple[int, bool]:
    """How many jobs fit, and whether that is all: it ends at *limit*, and after this time."""
    ids, is_all = set[str](), True
    async for step, behind in steps(connection, wanted, "", lambda: limit - len(ids), patience_s, call_bytes=0):
        ids.update(row.id for row in step.rows)
        is_all = not behind
    return len(ids), is_all
