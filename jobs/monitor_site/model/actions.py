"""What operators do to jobs, queues, tasks and workers. None of it is in the audit by itself: see `noted`."""

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Any

from ...client.connection import JobsRedis
from ...client.result import Result, revoke_all
from ...client.submit import call_of
from ...errors import NotRetried, ResultUnknown
from ...store.call import LARGE_LIMIT, Call
from ...store.store import TAKEN, now
from ...store.stored_values import chunked, text
from ...tasks.call_options import inherited, stored_headers
from ...tasks.rate_limit import stored_rate
from ...tasks.unique import again
from ...values import checks
from ...values.calls import awaited
from ...workflows.canvas import Signature
from .limits import say
from .queue_list import Purge, is_plain, waiting
from .search import row_of

PURGED_AT_ONCE = 500


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
async def move(connection: JobsRedis, ids: Sequence[str], queue: str) -> list[bool]:
    """Have waiting jobs wait in another queue, as long as they would have; True for each that is there now. One that a
    worker has claimed stays. Repeating it changes nothing. TypeError, WrongValue: no name of a queue."""
    checks.queue("queue", queue)
    return [bool(one) for some in chunked(ids) for one in await connection.run_script("move", queue, *some)]


@awaited
async def set_rate_limit(connection: JobsRedis, task: str, rate: str | float | None) -> None:
    """`10/s`, `5/m`, `100/h`, or None for no limit; for all workers, for good. Waiting jobs get new reservations.
    SettingsMistake for anything else."""
    await say(connection, task, "", rate=stored_rate(rate))


@awaited
async def quiet(connection: JobsRedis, worker: str) -> bool:
    """Have a worker claim no more jobs; False if it does not listen."""
    return bool(await connection.publish(connection.key.CONTROL + worker, "quiet"))


@awaited
async def shutdown(connection: JobsRedis, worker: str) -> bool:
    """Have a worker end its jobs, and then itself; False if it does not listen."""
    return bool(await connection.publish(connection.key.CONTROL + worker, "shutdown"))


@awaited
async def pause(connection: JobsRedis, queue: str) -> bool:
    """Claim nothing more of a queue, on any worker, until `resume`. False if it was paused already."""
    return bool(await connection.run_script("pause", queue, 1))


@awaited
async def resume(connection: JobsRedis, queue: str) -> bool:
    """Claim jobs of a paused queue again, at once. False if it was not paused."""
    return bool(await connection.run_script("pause", queue, 0))


@awaited
async def purge(connection: JobsRedis, ids: Iterable[str]) -> int:
    """End waiting jobs as REVOKED, and tell those who wait for them; returns how many. One that has started since is
    left alone."""
    states = await revoke_all(connection, list(ids), only_waiting=True)
    return sum(state in ("PENDING", "RETRY") for state in states)


async def purge_queue(
    connection: JobsRedis, queue: str, scheduled: bool = False, counted: Purge | None = None
) -> AsyncGenerator[int, None]:
    """The same for a queue, however long: ends PURGED_AT_ONCE jobs at a time, and yields how many each step ended.

    Ended are plain jobs that were due when it began; with *scheduled*, all that waits. With what `purgeable` has
    *counted*: only those, due ones that a limit holds back too. Stop it anywhere: what has not ended waits on.
    """
    at, ids = counted.at if counted else await now(connection), list[str]()
    async for row in waiting(connection, queue, "all" if scheduled or counted else "due"):
        is_newer = counted is not None and row.enqueued is not None and row.enqueued > at
        if not is_newer and (scheduled or is_plain(row, at)):
            ids.append(row.id)
        if len(ids) == PURGED_AT_ONCE:
            yield await purge(connection, ids)
            ids = []
    yield await purge(connection, ids)


@awaited
async def retry(connection: JobsRedis, job_id: str) -> str:
    """Run a job again that failed or was revoked; returns the id under which it runs.

    A workflow, or a job with steps, goes on under its own id, from what failed. Another job is called anew as `<id>~2`,
    `~3` and so on, with the arguments it had; its callbacks are not called again. However many ask, it runs once.
    """
    if await Result(job_id, connection).retry_failed():
        return job_id
    stored, queue = await stored_call(connection, job_id)
    while True:
        job_id = next_id(job_id)
        is_new = await enqueue_again(connection, call_again(connection, job_id, stored, queue))
        if is_new or await Result(job_id, connection).state() not in ("FAILURE", "REVOKED"):
            return job_id  # that is free, or has not ended badly: it is this retry already


def numbered(job_id: str) -> tuple[str, int]:
    """The job that `<id>~n` runs again, and n; of one that runs none again, its id and 1."""
    found = re.fullmatch("(.+)~([0-9]{1,9})", job_id, re.DOTALL)
    return (found[1], int(found[2])) if found and int(found[2]) > 1 else (job_id, 1)


def next_id(job_id: str) -> str:
    """The id under which this job is run again."""
    original, n = numbered(job_id)
    return f"{original}~{n + 1}"


async def stored_call(connection: JobsRedis, job_id: str) -> tuple[dict[str, Any], str]:
    """The call that is kept of a job that failed or was revoked, and its queue. NotRetried, ResultUnknown: why not."""
    state = await Result(job_id, connection).state()
    if state not in ("FAILURE", "REVOKED"):
        raise NotRetried(f"job {job_id} is {state}: only one that failed or was revoked is run again")
    row = await row_of(connection, job_id)
    if row and row.parent:
        raise NotRetried(f"job {job_id} is a member of workflow {row.parent}: retry that")
    if row and row.kind == "workflow":
        raise NotRetried(f"workflow {job_id} cannot be begun again: its tree is gone")
    stored = await connection.get(connection.key.RESULT + job_id)
    if not stored:
        raise ResultUnknown(f"the result of job {job_id}, which holds its arguments, is gone")
    call = connection.loads(stored)
    if call.get("cut"):
        raise NotRetried(f"the arguments of job {job_id} are not kept: they could not be read safely; call it anew")
    return await with_key(connection, job_id, call), (row.queue if row else "") or connection.key.queue_name(call["q"])


async def with_key(connection: JobsRedis, job_id: str, call: dict[str, Any]) -> dict[str, Any]:
    """The same with what its record says of the key of a unique task."""
    unique = text(await connection.hget(connection.key.RECORD + job_id, "unique"))  # type: ignore[misc]
    return call | {"unique": unique.split(" ", 2)}


def call_again(connection: JobsRedis, new_id: str, stored: dict[str, Any], queue: str) -> Call:
    """The same call under another id; its callbacks are not called again."""
    options = {"task_id": new_id, "queue": queue, "headers": inherited(stored_headers(stored.get("h")), {})}
    call = call_of(connection, Signature(stored["f"], stored["a"], stored["k"]), options, limit=LARGE_LIMIT)
    call.unique, call.due = again(call.unique or stored["unique"]), ""
    return call


async def enqueue_again(connection: JobsRedis, call: Call) -> bool:
    """Store a call of an operator; False if its id is taken. NotRetried: another job has its key."""
    call.unique = again(call.unique)
    [answer] = await connection.enqueue([call])
    return not is_taken(answer)


def is_taken(answer: Any) -> bool:
    """What the script that stores a call says of its id. NotRetried: another job has its key."""
    if isinstance(answer, bytes):
        raise NotRetried(f"job {text(answer)} has the key of this call: only one of them may wait or run at a time")
    return bool(answer == TAKEN)
