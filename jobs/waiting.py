"""What waits in the queues: due jobs, and those whose time comes later. Read in pages, never as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jobs import keys, scripts
from jobs.connection import JobsRedis
from jobs.stored import moment_of, now_ms, text, whole

PAGE = 500


@dataclass(frozen=True)
class Waiting:
    """A job that waits. `kind`: workflow, member (of one), retry; or '' for a plain call."""

    id: str
    queue: str
    due: datetime
    age_s: float
    """Since it was due, when the listing began; negative before."""
    state: str
    task: str
    kind: str
    held: bool
    """A rate limit or a concurrency limit holds it back."""
    unknown: bool
    """A worker that did not know its task has put it back."""

    @property
    def is_plain(self) -> bool:
        """A due call that is no part of anything: what `purge` takes without being told more."""
        return self.age_s >= 0 and not self.kind


async def waiting(
    connection: JobsRedis, queue: str, which: Literal["due", "later", "all"]
) -> AsyncIterator[Waiting]:
    """The waiting jobs of a queue by their times: those that may start now, those that come later, or all."""
    now = await now_ms(connection)
    lowest, highest = f"({now}" if which == "later" else "-inf", now if which == "due" else "+inf"
    last = last_id = b""
    seen: set[bytes] = set()
    at_end = 0
    while not at_end:
        place = ("waiting", keys.queue_key(queue), last, last_id, lowest, highest)
        _, score, last_id, at_end, rows = await connection.run_script(
            scripts.FIND, *place, PAGE, PAGE, "", "", "", "", ""
        )
        for job_id, state, fields, held, _ in rows:
            if job_id in seen:
                continue
            task, due, tree, parent = fields[0], whole(fields[4]), fields[10], fields[11]
            kind = "workflow" if tree else "member" if parent else "retry" if state == b"RETRY" else ""
            yield Waiting(
                id=text(job_id),
                queue=queue,
                due=moment_of(due),
                age_s=(now - due) / 1000,
                state=text(state),
                task=text(task),
                kind=kind,
                held=held == 1,
                unknown=held == 2,
            )
        page = {row[0] for row in rows}
        seen, last = seen | page if score == last else page, score
