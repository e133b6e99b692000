"""The workers."""

from __future__ import annotations

from dataclasses import dataclass

from quart import abort

from ... import job_stacks, model
from ...acting import Action
from ...actions import of_workers
from ...options import redis
from ...request_args import not_found
from ...web.messages import Message
from ..answers import Rows
from ..endpoints import read, write

MAX_LISTED_JOBS = 100
BLOCKED = Message("blocked", "The event loop of the worker is blocked: its log says where.")


@dataclass(frozen=True)
class WorkerDetail:
    """A worker and the jobs that it runs."""

    worker: model.WorkerInfo | None  # None: it is gone, and what it ran waits to be taken over.
    rows: list[model.JobRow]  # The first MAX_LISTED_JOBS of its jobs, the longest running first.
    held: int  # How many jobs it runs.


@read("/workers")
async def workers() -> Rows[model.WorkerInfo]:
    """The workers that are online."""
    return Rows(await model.workers(redis()))


@read("/workers/{name}")
async def worker(name: str) -> WorkerDetail:
    """One worker, and what it runs."""
    online = {info.name: info for info in await model.workers(redis())}
    rows = await model.running(redis(), name)
    if name not in online and not rows:
        not_found()
    return WorkerDetail(online.get(name), rows[:MAX_LISTED_JOBS], len(rows))


@read("/workers/{name}/stacks")
async def stacks(name: str) -> Rows[job_stacks.JobStack]:
    """Where each of its jobs is: files, lines and functions, asked of the worker now."""
    try:
        found = await job_stacks.stacks(redis(), name)
    except TimeoutError:
        abort(503, BLOCKED)
    return Rows(not_found() if found is None else found)


@write("/workers/{name}/quiet")
async def quiet_worker(name: str) -> Action:
    """Have it claim no more jobs. Only a restart undoes this."""
    return of_workers.quiet(name)


@write("/workers/{name}/stop")
async def stop_worker(name: str) -> Action:
    """Have it end its jobs, release those that take too long, and exit."""
    return of_workers.stop(name)
