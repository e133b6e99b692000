"""Why a job has not started: every reason that holds it back now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..client.connection import JobsRedis
from ..client.job_info import JobInfo, JobRecord, read_info, read_record
from ..client.result import Result
from ..store import keys
from ..store.notifications import TERMINAL
from ..store.store import now
from ..store.stored_values import moment, moment_of, text, whole_ms
from ..values.short_text import count, time_text
from ..workflows import member_ids, members
from ..workflows.stored_tree import Tree, kind_of, read
from .masked_call import unfinished_calls
from .worker_list import WorkerInfo, online


@dataclass(frozen=True)
class Reason:
    """`code`: unknown, ended, running, children, due, paused, no-worker, unknown-task, concurrency-limit,
    rate-limit, busy or next; and besides, expires."""

    code: str
    text: str
    until: datetime | None = None


@dataclass(frozen=True)
class _Waiting:
    """What Redis has of a job that waits, its record included."""

    record: JobRecord
    due: datetime
    expires: datetime | None
    """When it may start no more; None: never."""
    reserved: datetime | None
    """The start that a rate limit has reserved for it."""
    full: str
    """`2 of 2 run` if its concurrency limit holds it back, else ''."""
    paused: bool
    before: int
    """Due jobs of its queue that come first."""


async def why(connection: JobsRedis, job_id: str) -> list[Reason]:
    """The reasons; a single one if it runs, has ended, or is unknown."""
    state = await Result(job_id, connection).state()
    if state == "UNKNOWN":
        return [await _not_enqueued(connection, job_id)]
    stored: Any = await connection.execute_command("HGETALL", connection.key.RECORD + job_id)
    if state == "STARTED" or state in TERMINAL:
        return [await _begun(connection, read_info(job_id, state, stored))]
    job, at = await _read(connection, job_id, state, stored), await now(connection)
    reasons = list(_held_back(job, at, await online(connection)))
    if not reasons:
        reasons.append(Reason("next", f"nothing holds it back; {_before_it(job.before)}"))
    if job.expires:
        when = time_text(job.expires)
        meaning = f"it expires at {when}, if it has not started"
        if job.expires <= at:
            meaning = f"it expired at {when}: the next worker that looks at its queue ends it as REVOKED"
        reasons.append(Reason("expires", meaning, job.expires))
    return reasons


def _held_back(job: _Waiting, at: datetime, workers: list[WorkerInfo]) -> Iterator[Reason]:
    task, queue = job.record.task, job.record.queue
    if job.due > at:
        what = "its retry is due" if job.record.state == "RETRY" else "it is due"
        yield Reason("due", f"{what} at {time_text(job.due)}", job.due)
    if job.paused:
        yield Reason("paused", f"queue {queue!r} is paused")
    serving = [worker for worker in workers if queue in worker.queues and not worker.quiet]
    knowing = [worker for worker in serving if task in worker.tasks]
    if not serving:
        quiet = any(queue in worker.queues for worker in workers)
        yield Reason("no-worker", f"no live worker serves queue {queue!r}{' but quiet ones' if quiet else ''}")
    elif not knowing:
        yield Reason("unknown-task", f"no worker that serves queue {queue!r} knows the task {task!r}")
    if job.full:
        yield Reason("concurrency-limit", f"the concurrency limit of {task}: {job.full}")
    elif job.reserved and job.reserved > at:
        yield Reason("rate-limit", f"the rate limit of {task}, until {time_text(job.reserved)}", job.reserved)
    if job.due <= at and knowing and all(worker.busy >= worker.max_jobs for worker in knowing):
        slots = sum(worker.max_jobs for worker in knowing)
        yield Reason("busy", f"all {slots} slots of {count(len(knowing), 'worker')} are busy; {_before_it(job.before)}")


async def _read(connection: JobsRedis, job_id: str, state: str, stored: Mapping[bytes, bytes]) -> _Waiting:
    key, record = connection.key, read_record(job_id, state, stored)
    # stock arq has called it, and no worker has seen it yet: only its payload names the task
    task = record.task or (await unfinished_calls(connection, [job_id]))[0].task or "?"
    queue = record.queue or keys.DEFAULT_QUEUE
    async with connection.pipeline(transaction=False) as pipe:
        pipe.zscore(key.queue_key(queue), job_id)
        pipe.zrank(key.queue_key(queue), job_id)
        pipe.sismember(key.PAUSED, queue)
        pipe.zscore(key.PLACES + task, job_id)
        pipe.zscore(key.BLOCKED + task, job_id)
        pipe.hget(key.LIMITS, f"{task}|holders")
        pipe.scard(key.HOLDERS + task)
        score, rank, paused, reserved, blocked, limit, holders = await pipe.execute()
    return _Waiting(
        record=replace(record, task=task, queue=queue),
        due=record.due or moment_of(score or 0),
        expires=None if record.attempts else moment(whole_ms(stored.get(b"expires"))),
        reserved=moment(reserved), full="" if blocked is None else f"{holders} of {text(limit or b'?')} run",
        paused=bool(paused), before=rank or 0,
    )  # fmt: skip


async def _begun(connection: JobsRedis, info: JobInfo) -> Reason:
    """It has ended, or runs. A workflow has started when it waits for its members."""
    if info.state != "STARTED":
        killed = f": it killed {info.killed} workers" if info.killed else ""
        return Reason("ended", f"it has ended: {info.state}{killed}")
    tree = await members.tree_of(connection, info.id)
    if tree is not None:
        n = len(await members.unended(connection, info.id, tree))
        return Reason("children", f"it has started, and waits for {n} of its {len(members.places_of(tree))} children")
    died = f"; {count(info.deaths, 'worker')} died while they ran it" if info.deaths else ""
    return Reason("running", f"it has started: it runs on {info.worker or '?'}{died}")


async def _not_enqueued(connection: JobsRedis, job_id: str) -> Reason:
    """A member of a workflow has an id before it is enqueued."""
    member = await members.member_of(connection, job_id)
    if member is None:
        return Reason("unknown", "nobody has seen this id, or its result has ended")
    workflow, path, stored = member
    if await Result(workflow, connection).ready():
        return Reason("ended", f"it was never called: its workflow {workflow} has ended")
    tree = read(stored)
    prefix = member_ids.prefix_of(workflow, tree)
    letters = await members.letters_of(connection, workflow, prefix, _before(tree, path))
    n = sum(letter not in "SFR" for letter in letters)
    return Reason("children", f"it is called when {n} children before it in workflow {workflow} have ended")


def _before(node: Tree, path: str) -> list[str]:
    """The paths of the tasks that must have ended before the one at *path* is called."""
    found: list[str] = []
    above = ""
    for here in map(int, path.split(".")):
        kind = kind_of(node)
        for number in range(here) if kind != "group" else ():
            found += members.places_of(node[kind][number], f"{above}{number}")
        node, above = node[kind][here], f"{above}{here}."
    return found


def _before_it(n: int) -> str:
    return f"{n:,} job{' comes' if n == 1 else 's come'} before it"
