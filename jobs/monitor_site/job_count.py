"""How many jobs a query finds."""

import math
import time
from collections.abc import AsyncIterator
from itertools import chain

from ..client.connection import JobsRedis
from ..store.stored_values import chunked
from .model.search import steps
from .model.search_indexes import ids_running, indexes_for
from .model.wanted import Wanted

LOOKED_AT = 500  # Records that one script counts, so that it keeps Redis for a few milliseconds only.


async def count(
    connection: JobsRedis, wanted: Wanted, limit: int = 10_000, patience_s: float = math.inf
) -> tuple[int, bool]:
    """How many jobs fit, and whether that is all: it ends at *limit*, and after this time."""
    n, began = 0, time.monotonic()
    counts = _decided(connection, wanted) if _is_decided(wanted) else _looked_at(connection, wanted)
    async for some, is_all in counts:
        n += some
        if n > limit or (time.monotonic() - began > patience_s and not is_all):
            return min(n, limit), False
    return n, True


def _is_decided(wanted: Wanted) -> bool:
    """Does the first look of find.lua decide it all?"""
    names = "".join(chain.from_iterable(wanted.names.values()))
    began = (wanted.since or wanted.until) and wanted.states_in("running", "suspended", "parked")
    asks_more = wanted.job_id or wanted.texts or wanted.arguments or wanted.bounds or began
    return not asks_more and not set("[*?") & set(names)


async def _decided(connection: JobsRedis, wanted: Wanted) -> AsyncIterator[tuple[int, bool]]:
    indexes = await indexes_for(connection, wanted)
    for index in indexes:
        asked = index.states, wanted.first_look, -1
        if index.how == "these":
            for ids in chunked(await ids_running(connection), LOOKED_AT):
                found = await connection.run_script("find", "these", *[""] * 5, 0, 1, *asked, *ids)
                yield found[-1], False
            continue
        last, last_id, at_end = b"", b"", False
        while not at_end:
            where = index.how, index.key, last, last_id, *index.between
            last, last_id, at_end, _, n = await connection.run_script("find", *where, LOOKED_AT, 1, *asked)
            yield n, bool(at_end) and index is indexes[-1]


async def _looked_at(connection: JobsRedis, wanted: Wanted) -> AsyncIterator[tuple[int, bool]]:
    before = set[str]()
    async for step, behind in steps(connection, wanted, call_bytes=0):
        ids = {row.id for row in step.rows}
        yield len(ids - before), not behind
        before = ids
