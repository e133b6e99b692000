"""One bounded step along an index of jobs: what find.lua is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..store import scripts
from ..store.stored_values import text

NO_FILTERS = ("", "", "", "")


@dataclass(frozen=True)
class RawRow:
    """A job as Redis has it. `held`: 1 a limit holds it back, 2 a worker that did not know its task has put it back."""

    id: str
    state: str
    record: Mapping[bytes, bytes]
    """Each of the fields that find.lua names; empty where it has none."""
    held: int
    call: bytes


@dataclass(frozen=True)
class Step:
    """Where the next step begins, `at_end` if there is none, and the rows."""

    last: str
    last_id: str
    at_end: bool
    rows: list[RawRow]


async def step_along(
    connection: JobsRedis,
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
    """Look at *look_at* jobs behind the last one, and return at most *most* of those that fit: see find.lua."""
    score, last_id_, at_end, names, rows = await connection.run_script(
        scripts.FIND, how, key, last, last_id, *between, look_at, most, states, *filters, *ids
    )
    found = [
        RawRow(text(job_id), text(state), dict(zip(names, fields, strict=True)), held, call)
        for job_id, state, fields, held, call in rows
    ]
    return Step(text(score), text(last_id_), at_end == 1, found)
