"""What operators do, as the commands do it; none of it is noted in the audit by itself: see `noted`."""

from __future__ import annotations

from datetime import datetime

from ..client.connection import JobsRedis
from ..client.result import Result
from ..schedules import stored_schedules
from ..values.must_await import awaited
from .worker_list import tell

pause_schedule, resume_schedule = awaited(stored_schedules.pause), awaited(stored_schedules.resume)
forget_schedule = awaited(stored_schedules.forget)


@awaited
async def revoke(connection: JobsRedis, job_id: str, terminate: bool = False) -> str:
    """Never start it; with *terminate*, stop it if it runs. Returns the state it was in; UNKNOWN, or one of an ended
    job: nothing was changed."""
    return await Result(job_id, connection).revoke(terminate)


@awaited
async def reschedule(connection: JobsRedis, job_id: str, eta: datetime) -> bool:
    """Move a waiting job to another time; False if it does not wait."""
    return await Result(job_id, connection).reschedule(eta)


@awaited
async def set_rate_limit(connection: JobsRedis, task: str, rate: str | None) -> None:
    """`10/s`, `5/m`, `100/h`, or None for no limit; for all workers, for good. SettingsMistake for anything else."""
    await connection.set_rate_limit(task, rate)


@awaited
async def quiet(connection: JobsRedis, worker: str) -> bool:
    """Have a worker claim no more jobs; False if it does not listen."""
    return await tell(connection, worker, "quiet")


@awaited
async def shutdown(connection: JobsRedis, worker: str) -> bool:
    """Have a worker end its jobs, and then itself; False if it does not listen."""
    return await tell(connection, worker, "shutdown")


@awaited
async def run_schedule(connection: JobsRedis, name: str) -> str:
    """Run it now; returns the id of the job. UnknownSchedule if there is none."""
    return (await connection.run_schedule(name)).id
