"""What waits in the queues: due jobs, and those whose time comes later. Read in pages, never as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jobs import scripts
from jobs.clock import moment_of
from jobs.connection import JobsRedis

PAGE = 500


@dataclass(frozen=True)
class Waiting:
    """A job that waits. `kind`: workflow, member (of one), retry; or '' for a plain call."""

    id: str
    queue: str
    due: datetime
    age_s: float
    """Since it was due; negative before."""
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
    last = last_id = b""
    seen: set[bytes] = set()
    while True:
        now, looked_at, score, last_id, rows = await connection.run_script(
            scripts.WAITING, queue, which, last, last_id, PAGE
        )
        for job_id, due, state, task, kind, held in rows:
            if job_id in seen:
                continue
            yield Waiting(
                id=job_id.decode(errors="replace"),
                queue=queue,
                due=moment_of(int(due)),
                age_s=(int(now) - int(due)) / 1000,
                state=state.decode(errors="replace"),
                task=task.decode(errors="replace"),
                kind=kind.decode(errors="replace"),
                held=held == 1,
                unknown=held == 2,
            )
        if looked_at < PAGE:
            return
        page = {row[0] for row in rows}
        seen, last = seen | page if score == last else page, score
