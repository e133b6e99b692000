"""The workers that are online, and what each of them runs."""

from __future__ import annotations

from jobs import keys
from jobs.connection import JobsRedis
from jobs.monitor.find import rows_of
from jobs.monitor.rows import JobRow
from jobs.workers import WorkerInfo, online

MOST = 1_000
"""Running jobs of a worker that are listed."""


async def workers(connection: JobsRedis) -> list[WorkerInfo]:
    """Those that answer now, by name."""
    return await online(connection)


async def running(connection: JobsRedis, worker: str) -> list[JobRow]:
    """The jobs that a worker holds, those that run longest first; at most MOST."""
    held = await connection.hkeys(keys.RUNNING + worker)  # type: ignore[misc]
    rows = await rows_of(connection, sorted(job_id.decode(errors="replace") for job_id in held)[:MOST])
    return sorted(
        (row for row in rows if row.state == "STARTED"), key=lambda row: (row.started is None, row.started)
    )
