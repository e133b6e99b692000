"""What decides whether jobs start, at one moment: which workers serve and know what, and which queues are paused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..client.connection import JobsRedis
from ..store.notifications import TERMINAL
from ..store.store import now
from ..store.stored_values import text
from .job_row import JobRow
from .worker_list import WorkerInfo, online


@dataclass(frozen=True)
class Situation:
    at: datetime
    workers: Sequence[WorkerInfo]
    paused: frozenset[str]

    def serving(self, queue: str) -> list[WorkerInfo]:
        """The workers that take jobs of a queue: quiet ones do not."""
        return [worker for worker in self.workers if queue in worker.queues and not worker.quiet]

    def knowing(self, row: JobRow) -> list[WorkerInfo]:
        return [worker for worker in self.serving(row.queue) if row.task in worker.tasks]

    def codes(self, row: JobRow) -> list[str]:
        """The code of each Reason why a job does not run, or of what it does; a list shows the first one."""
        if row.state in TERMINAL:
            return ["ended"]
        if row.hold in ("running", "stopping"):
            return [row.hold]
        if row.state == "STARTED" and row.hold != "suspect":
            return ["children" if row.kind == "workflow" else "running"]
        return self._held_back(row)

    def _held_back(self, row: JobRow) -> list[str]:
        is_later = row.state != "STARTED" and row.due is not None and row.due > self.at
        expires, knowing = None if row.attempts else row.expires, self.knowing(row)
        is_over = expires is not None and expires <= self.at
        checks = [
            ("expired", is_over),
            ("due", is_later),
            ("suspect", row.hold == "suspect" and not is_later),
            ("paused", row.queue in self.paused),
            ("no-worker", not self.serving(row.queue)),
            ("unknown-task", self.serving(row.queue) and not knowing),
            (row.hold, row.hold.endswith("-limit")),
            ("busy", knowing and not is_later and all(worker.busy >= worker.max_jobs for worker in knowing)),
        ]
        found = [code for code, is_so in checks if is_so] or ["next"]
        return [*found, "expires"] if expires and not is_over else found


async def situation(connection: JobsRedis) -> Situation:
    paused = await connection.smembers(connection.key.PAUSED)  # type: ignore[misc]
    return Situation(await now(connection), await online(connection), frozenset(map(text, paused)))


async def with_reasons(connection: JobsRedis, rows: Sequence[JobRow]) -> list[JobRow]:
    """The rows, each with its first reason."""
    if all(row.state in TERMINAL for row in rows):  # then nothing has to be asked for
        return [replace(row, reason="ended") for row in rows]
    at_hand = await situation(connection)
    return [replace(row, reason=at_hand.codes(row)[0]) for row in rows]
