"""Why a job has not started: every reason that holds it back now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
from .search_indexes import queue_names
from .worker_list import online

ONE_AT_A_TIME = "such jobs run again one at a time on each worker"


@dataclass(frozen=True)
class Reason:
    """`code`: unknown, ended, running, children, suspect, due, paused, no-worker, unknown-task, concurrency-limit,
    rate-limit, busy or next; and besides, expires."""

    code: str
    text: str
    until: datetime | None = None


async def why(connection: JobsRedis, job_id: str) -> list[Reason]:
    """The reasons; a single one if it runs, has ended, or is unknown."""
    state = await Result(job_id, connection).state()
    if state == "UNKNOWN":
        return [await _not_enqueued(connection, job_id)]
    async with connection.pipeline() as pipe:
        pipe.hgetall(connection.key.RECORD + job_id)
        pipe.pttl(connection.key.IN_PROGRESS + job_id)
        stored, owned_ms = await pipe.execute()
    ownerless = stored.get(b"state") == b"STARTED" and owned_ms < 0 and b"tree" not in stored
    if state in TERMINAL or (state == "STARTED" and not ownerless):
        return [await _begun(connection, read_info(job_id, state, stored))]
    job, expires = read_record(job_id, state, stored), moment(whole_ms(stored.get(b"expires")))
    if owned_ms > 0:
        until = await now(connection) + timedelta(milliseconds=owned_ms)
        return [
            Reason("running", f"a stock arq worker runs it, or was killed: no other until {time_text(until)}", until)
        ]
    reasons = await _held_back(connection, job, b"suspect" in stored)
    if expires and not job.attempts:
        meaning = f"it expires at {time_text(expires)}, if it has not started"
        if expires <= await now(connection):
            meaning = f"it expired at {time_text(expires)}: the next worker that looks at its queue ends it as REVOKED"
        reasons.append(Reason("expires", meaning, expires))
    return reasons


async def _held_back(connection: JobsRedis, job: JobRecord, is_suspect: bool) -> list[Reason]:
    """Why a job that waits does not start now; if nothing holds it back, it is only not its turn."""
    # stock arq has called it, and no worker has seen it yet: only its payload names the task
    task = job.task or (await unfinished_calls(connection, [job.id]))[0].task or "?"
    queue, at, workers = await _queue_of(connection, job), await now(connection), await online(connection)
    async with connection.pipeline(transaction=False) as pipe:
        pipe.zscore(connection.key.queue_key(queue), job.id)
        pipe.zrank(connection.key.queue_key(queue), job.id)
        pipe.sismember(connection.key.PAUSED, queue)
        score, rank, paused = await pipe.execute()
    due, before = job.due or moment_of(score or 0), f"{rank or 0:,} job{' comes' if rank == 1 else 's come'} before it"
    serving = [worker for worker in workers if queue in worker.queues and not worker.quiet]
    reasons = list[Reason]()
    if job.state == "STARTED":
        reasons.append(await _suspect(connection, job, queue, len(serving)))
    elif due > at:
        what = "its retry is due" if job.state == "RETRY" else "it is due"
        reasons.append(Reason("due", f"{what} at {time_text(due)}", due))
    elif is_suspect:
        reasons.append(Reason("suspect", f"it ran on a worker that died: {ONE_AT_A_TIME}"))
    if paused:
        reasons.append(Reason("paused", f"queue {queue!r} is paused"))
    knowing = [worker for worker in serving if task in worker.tasks]
    if not serving:
        quiet = " but quiet ones" if any(queue in worker.queues for worker in workers) else ""
        reasons.append(Reason("no-worker", f"no live worker serves queue {queue!r}{quiet}"))
    elif not knowing:
        reasons.append(Reason("unknown-task", f"no worker that serves queue {queue!r} knows the task {task!r}"))
    reasons += await _limits(connection, job.id, task, at)
    if due <= at and knowing and all(worker.busy >= worker.max_jobs for worker in knowing):
        slots = sum(worker.max_jobs for worker in knowing)
        reasons.append(Reason("busy", f"all {slots} slots of {count(len(knowing), 'worker')} are busy; {before}"))
    return reasons or [Reason("next", f"nothing holds it back; {before}")]


async def _queue_of(connection: JobsRedis, job: JobRecord) -> str:
    """The queue that has it. Of one that stock arq has called, and no worker has seen, there is no record."""
    for name in () if job.queue else await queue_names(connection):
        if await connection.zscore(connection.key.queue_key(name), job.id) is not None:
            return name
    return job.queue or keys.DEFAULT_QUEUE


async def _suspect(connection: JobsRedis, job: JobRecord, queue: str, serving: int) -> Reason:
    """Its lease has ended. It stays noted, in the order of their ends, until a worker takes the job over."""
    leases = connection.key.LEASES + queue
    ended, before = await connection.zscore(leases, job.id), await connection.zrank(leases, job.id) or 0
    when = f" at {time_text(moment(ended))}" if ended else ""
    return Reason(
        "suspect",
        f"its worker {job.worker or '?'} died or lost its lease{when}: {ONE_AT_A_TIME}, "
        f"and {before:,} come before it; {count(serving, 'worker')} now for queue {queue!r}",
    )


async def _limits(connection: JobsRedis, job_id: str, task: str, at: datetime) -> list[Reason]:
    key = connection.key
    async with connection.pipeline(transaction=False) as pipe:
        pipe.zscore(key.BLOCKED + task, job_id)
        pipe.scard(key.HOLDERS + task)
        pipe.hget(key.LIMITS, f"{task}|holders")
        pipe.zscore(key.PLACES + task, job_id)
        blocked, holders, limit, reserved = await pipe.execute()
    if blocked is not None:
        full = f"{holders} of {text(limit or b'?')} run"
        return [Reason("concurrency-limit", f"the concurrency limit of {task}: {full}")]
    until = moment(reserved)
    if until is None or until <= at:
        return []
    return [Reason("rate-limit", f"the rate limit of {task}, until {time_text(until)}", until)]


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
    found, above = list[str](), ""
    for here in map(int, path.split(".")):
        inside = list(members.inside(node, above))
        for place, member in inside[:here] if kind_of(node) != "group" else ():
            found += members.places_of(member, place)
        above, node = inside[here]
    return found
