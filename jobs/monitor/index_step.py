"""One bounded step along an index of jobs: what find.lua is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..store import scripts
from ..store.stored_values import text
from ..tasks.declarations import KnownTasks
from .job_row import SearchHit, read_hit

NO_FILTERS = ("", "", "", "")


@dataclass(frozen=True)
class Step:
    """Where the next step begins, `at_end` if there is none, and the jobs that fit."""

    last: str
    last_id: str
    at_end: bool
    hits: list[SearchHit]


async def step_along(
    connection: JobsRedis,
    known: KnownTasks,
    how: str,
    key: str = "",
    last: str = "",
    last_id: str = "",
    between: tuple[str, str] = ("-inf", "+inf"),
    look_at: int = 0,
    most: int = 0,
    states: str = "",
    filters: Sequence[str | bytes] = NO_FILTERS,
    ids: Sequence[str] = (),
) -> Step:
    """Look at *look_at* jobs behind the last one, and return at most *most* of those that fit: see find.lua.

    *known* masks their arguments.
    """
    score, reached, at_end, names, rows = await connection.run_script(
        scripts.FIND, how, key, last, last_id, *between, look_at, most, states, *filters, *ids
    )
    hits = [read_hit(connection, known, names, row) for row in rows]
    return Step(text(score), text(reached), at_end == 1, hits)
