"""What operators see and do in queues: what waits there, pause, resume, purge, run a job again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ..client.connection import JobsRedis
from ..client.result import Result, revoke_all
from ..client.submit import call_of
from ..errors import NotRetried, ResultUnknown
from ..store import scripts
from ..store.call import LARGE_LIMIT, Call
from ..store.clock import now_ms
from ..store.store import TAKEN
from ..store.stored_values import moment_of, text, whole
from ..values.must_await import awaited
from ..workflows.canvas import Signature

STEP = 500
"""Jobs that one step of a long purge ends."""
PAGE = 500
"""Waiting jobs that are read at once."""


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
        place = ("waiting", connection.key.queue_key(queue), last, last_id, lowest, highest)
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


@awaited
async def pause(connection: JobsRedis, queue: str) -> bool:
    """Claim nothing more of a queue, on any worker, until `resume`. False if it was paused already."""
    return bool(await connection.run_script(scripts.PAUSE, queue, 1))


@awaited
async def resume(connection: JobsRedis, queue: str) -> bool:
    """Claim jobs of a paused queue again, at once. False if it was not paused."""
    return bool(await connection.run_script(scripts.PAUSE, queue, 0))


@dataclass(frozen=True)
class Purge:
    """What a purge would end: plain due jobs, and what it takes only if told to."""

    due: list[str] = field(default_factory=list)
    scheduled: list[str] = field(default_factory=list)
    """Jobs with a later time, retries, workflows and their members."""


@awaited
async def purgeable(connection: JobsRedis, queues: Iterable[str]) -> Purge:
    """What waits in these queues now."""
    found = Purge()
    for queue in queues:
        async for job in waiting(connection, queue, "all"):
            (found.due if job.is_plain else found.scheduled).append(job.id)
    return found


@awaited
async def purge(connection: JobsRedis, ids: Iterable[str]) -> int:
    """End waiting jobs as REVOKED, so that whoever waits for them hears of it; returns how many. One that has started
    since is left alone."""
    states = await revoke_all(connection, list(ids), only_waiting=True)
    return sum(state in ("PENDING", "RETRY") for state in states)


async def purge_queue(
    connection: JobsRedis, queue: str, scheduled: bool = False
) -> AsyncGenerator[int, None]:
    """The same for a queue, however long: STEP jobs after the other, each time giving how many have ended with it.

    Ended are plain jobs that were due when it began; with *scheduled*, all that waits. Stop it anywhere: what has not
    ended waits on.
    """
    ids: list[str] = []
    async for job in waiting(connection, queue, "all" if scheduled else "due"):
        if scheduled or job.is_plain:
            ids.append(job.id)
        if len(ids) == STEP:
            yield await purge(connection, ids)
            ids = []
    yield await purge(connection, ids)


@awaited
async def retry(connection: JobsRedis, job_id: str) -> str:
    """Run a job again that failed or was revoked; returns the id under which it runs.

    A workflow goes on under its own id, from what failed. A single job is called anew as `<id>~2`, `~3` and so on, with
    the arguments it had; its callbacks are not called again. However many ask at once, it runs once.
    """
    result = Result(job_id, connection)
    if await result.retry_failed():
        return job_id
    state = await result.state()
    if state not in ("FAILURE", "REVOKED"):
        raise NotRetried(f"job {job_id} is {state}: only one that failed or was revoked is run again")
    record = await connection.hmget(connection.key.RECORD + job_id, ["queue", "parent", "tree"])  # type: ignore[misc]
    queue, parent, tree = map(text, record)
    if parent:
        raise NotRetried(f"job {job_id} is a member of workflow {parent}: retry that")
    if tree:
        raise NotRetried(f"workflow {job_id} cannot be begun again: its tree is gone")
    stored = await connection.get(connection.key.RESULT + job_id)
    if not stored:
        raise ResultUnknown(f"the result of job {job_id}, which holds its arguments, is gone")
    call = connection.loads(stored)
    if call.get("cut"):
        raise NotRetried(
            f"the arguments of job {job_id} are not kept: they could not be read safely; call it anew"
        )
    return await _call_again(connection, job_id, call, queue or connection.key.queue_name(call["q"]))


async def _call_again(connection: JobsRedis, job_id: str, stored: dict[str, Any], queue: str) -> str:
    """The first of `<id>~2`, `~3` ... that is free, or has not ended badly: that one is this retry already."""
    origin, _, number = job_id.rpartition("~")
    base, n = (origin, int(number)) if origin and number.isdecimal() else (job_id, 1)
    while True:
        n += 1
        options = {"task_id": f"{base}~{n}", "queue": queue}
        again = Signature(stored["f"], stored["a"], stored["k"])
        call: Call = call_of(connection, again, options, limit=LARGE_LIMIT)
        [answer] = await connection.enqueue([call])
        if answer != TAKEN or await Result(call.id, connection).state() not in ("FAILURE", "REVOKED"):
            return call.id
