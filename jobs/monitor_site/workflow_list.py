"""The workflows, as a list with names."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import encoding
from ..client.connection import JobsRedis
from ..errors import EncodingError
from ..store.store import now
from ..values.short_text import duration_text, time_text
from .model.search import Page, find

LATEST = 1_000  # Workflows of which the longest are shown.


@dataclass(frozen=True)
class WorkflowRow:
    """A workflow in the list. The three numbers are what it last reported; None before it started."""

    id: str
    name: str  # Made of its tree: `chord of 9: etl.extract → etl.load`; '' where an earlier release has stored it.
    state: str
    called: datetime | None
    seconds: float  # From its call to its end, or until now.
    error: str  # Of one that failed or was revoked: the first line of why.
    done: int | None
    failed: int | None
    total: int | None

    @property
    def line(self) -> str:
        """All of it, for the command line."""
        done = "" if self.total is None else f"{self.done} of {self.total}"
        failed = f"{self.failed} failed" if self.failed else ""
        words = (self.id, self.state, done, failed, duration_text(self.seconds), time_text(self.called), self.name)
        return "  ".join(word for word in words if word)


async def workflows(
    connection: JobsRedis, cursor: str = "", limit: int = 50, *, state: str = "", text: str = "", longest: bool = False
) -> Page[WorkflowRow]:
    """The workflows that fit, those called last first; with *longest*, those of them that took longest, of the last
    LATEST. *state* and *text* are those of `find`; a name has the tasks in it. ValueError: no such state or cursor."""
    found = await find(
        connection, state=state, text=text, cursor=cursor, limit=LATEST if longest else limit, workflows=True
    )
    at, rows = await now(connection), found.rows
    seconds = {row.id: ((row.finished or at) - (row.enqueued or at)).total_seconds() for row in rows}
    if longest:
        rows = sorted(rows, key=lambda row: seconds[row.id], reverse=True)[:limit]
    async with connection.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.hget(connection.key.RECORD + row.id, "meta")
        reported = map(_counts, await pipe.execute())
    shown = [
        WorkflowRow(row.id, row.name, row.state, row.enqueued, seconds[row.id], row.error, *counts)
        for row, counts in zip(rows, reported, strict=True)
    ]
    return Page(shown, "" if longest else found.next, found.looked_back_to)


def _counts(meta: bytes | None) -> list[int | None]:
    """How many have ended, failed and there are, as the workflow has reported."""
    progress: Any = None
    with contextlib.suppress(EncodingError):  # not written by us
        progress = encoding.loads(meta) if meta else None
    counts = [progress.get(name) if isinstance(progress, Mapping) else None for name in ("done", "failed", "total")]
    return [n if isinstance(n, int) else None for n in counts]
