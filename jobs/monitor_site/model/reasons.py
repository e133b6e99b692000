"""Why a job has not started: every reason that holds it back now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ...client.connection import JobsRedis
from ...client.job_info import read_info
from ...client.result import Result
from ...store import keys
from ...store.notifications import TERMINAL
from ...store.schedule_ids import moment_in
from ...store.store import now
from ...store.stored_values import moment, moment_of
from ...values.short_text import count, time_text
from ...workflows import members
from ...workflows.stored_tree import Tree, kind_of, read
from .audit_log import pauses
from .durable_steps import open_waits, steps
from .job_row import JobRow
from .limits import keys_of_job, limit_list, shown_key
from .search import row_of
from .search_indexes import queue_names
from .unique_keys import key_of
from .worker_list import Situation, WorkerInfo, situation

ONE_AT_A_TIME = "such jobs run again one at a time on each worker"


@dataclass(frozen=True)
class Reason:
    """`code`: unknown, ended, running, stopping, suspended, children, gone, expired, due, suspect, paused, no-worker,
    unknown-task, concurrency-limit, rate-limit, busy or next; and besides, expires, unique or schedule."""

    code: str
    text: str
    until: datetime | None = None


async def why(connection: JobsRedis, job_id: str) -> list[Reason]:
    """The reasons; a single one if it runs, has ended, or is unknown; and what it has of a key, see `key_of`."""
    if await Result(job_id, connection).state() == "UNKNOWN":
        return [await _not_enqueued(connection, job_id)]
    return [*await _holding_back(connection, job_id), *_of_schedule(job_id)]


def _of_schedule(job_id: str) -> list[Reason]:
    """Who called it, if that was a schedule."""
    found = moment_in(job_id)
    return [Reason("schedule", f"the schedule {found[0]!r} has called it, for {time_text(found[1])}")] if found else []


async def _holding_back(connection: JobsRedis, job_id: str) -> list[Reason]:
    if (row := await row_of(connection, job_id)) is None:
        return [Reason("gone", "what it calls is gone from Redis: the next worker that looks at it ends it as FAILURE")]
    if not row.queue:
        row = await _in_its_queue(connection, row)
    at_hand = await situation(connection)
    reasons = [await _reason(connection, code, row, at_hand) for code in at_hand.codes(row)]
    key, until = await key_of(connection, job_id)
    return [*reasons, Reason("unique", key, until)] if key else reasons


async def _reason(connection: JobsRedis, code: str, row: JobRow, at_hand: Situation) -> Reason:
    serving, queue = at_hand.serving(row.queue), f"queue {row.queue!r}"
    quiet = " but quiet ones" if any(row.queue in worker.queues for worker in at_hand.workers) else ""
    over = "the next worker that looks at its queue ends it as REVOKED"
    plain: dict[str, tuple[Any, ...]] = {
        "due": (f"{'its retry' if row.state == 'RETRY' else 'it'} is due at {time_text(row.due)}", row.due),
        "expires": (f"it expires at {time_text(row.expires)}, if it has not started", row.expires),
        "expired": (f"it expired at {time_text(row.expires)}: {over}", row.expires),
        "no-worker": (f"no live worker serves {queue}{quiet}",),
        "unknown-task": (f"no worker that serves {queue} knows the task {row.task or '?'!r}",),
    }
    match code:
        case "suspect" if row.state == "STARTED":
            return await _suspect(connection, row, len(serving))
        case "suspect":
            return Reason(code, f"it ran on a worker that died: {ONE_AT_A_TIME}")
        case "paused":
            by = (await pauses(connection)).get(row.queue)
            return Reason(code, f"{queue} is paused{f', by {by.who} since {time_text(by.at)}' if by else ''}")
        case "rate-limit" | "concurrency-limit":
            return await _limit(connection, code, row)
        case "suspended":
            found = await steps(connection, row.id)
            waits, unclaimed = open_waits(found), [one for one in found if one.state == "unclaimed"]
            until = min(filter(None, (one.until or one.ended for one in waits)), default=None)
            return Reason(code, "; ".join(one.line for one in [*waits, *unclaimed]) or "it goes on in a moment", until)
        case "busy" | "next":
            return await _its_turn(connection, code, row, at_hand.knowing(row))
    return Reason(code, *plain[code]) if code in plain else await _begun(connection, code, row)


async def _in_its_queue(connection: JobsRedis, row: JobRow) -> JobRow:
    """Stock arq has called it, and no worker has seen it yet: only its queue tells where it is, and when it is due."""
    for name in await queue_names(connection):
        score = await connection.zscore(connection.key.queue_key(name), row.id)
        if score is not None:
            return replace(row, queue=name, due=row.due or moment_of(score))
    return replace(row, queue=keys.DEFAULT_QUEUE)


async def _suspect(connection: JobsRedis, row: JobRow, serving: int) -> Reason:
    """Its lease has ended. It stays noted, in the order of their ends, until a worker takes the job over."""
    leases = connection.key.LEASES + row.queue
    ended, before = await connection.zscore(leases, row.id), await connection.zrank(leases, row.id) or 0
    when = f" at {time_text(moment(ended))}" if ended else ""
    return Reason(
        "suspect",
        f"its worker {row.worker or '?'} died or lost its lease{when}: {ONE_AT_A_TIME}, "
        f"and {before:,} come before it; {count(serving, 'worker')} now for queue {row.queue!r}",
    )


async def _limit(connection: JobsRedis, code: str, row: JobRow) -> Reason:
    """Which limit of which key it waits for, who is before it, and when that ends."""
    key, task = connection.key, row.task
    lists = key.PLACES if code == "rate-limit" else key.BLOCKED
    for own in await keys_of_job(connection, task, row.id):
        bucket = f"{task}|{own}" if own else task
        if (score := await connection.zscore(lists + bucket, row.id)) is not None:
            break
    of = f" for {shown_key(own)}" if own else ""
    before = await connection.zrank(lists + bucket, row.id) or 0
    others = f"; {before:,} {'other waits' if before == 1 else 'others wait'} before it" if before else ""
    if code == "rate-limit":
        until = moment(score)
        return Reason(code, f"the rate limit of {task}{of}, until {time_text(until)}{others}", until)
    [info] = await limit_list(connection, task, own)
    if info.paused:
        return Reason(code, f"{task} is paused{of}, until somebody resumes it{others}")
    most = "?" if info.max_concurrency is None else info.max_concurrency
    return Reason(code, f"the concurrency limit of {task}{of}: {info.running} of {most} run{others}")


async def _its_turn(connection: JobsRedis, code: str, row: JobRow, knowing: Sequence[WorkerInfo]) -> Reason:
    before = await connection.zrank(connection.key.queue_key(row.queue), row.id) or 0
    slots = f"all {sum(worker.max_jobs for worker in knowing)} slots of {count(len(knowing), 'worker')} are busy"
    comes = f"{before:,} job{' comes' if before == 1 else 's come'} before it"
    return Reason(code, f"{slots if code == 'busy' else 'nothing holds it back'}; {comes}")


async def _begun(connection: JobsRedis, code: str, row: JobRow) -> Reason:
    """It has ended, or runs. A workflow has started when it waits for its members."""
    if row.hold == "running":
        left_ms = await connection.pttl(connection.key.IN_PROGRESS + row.id)
        until = await now(connection) + timedelta(milliseconds=max(left_ms, 0))
        return Reason(code, f"a stock arq worker runs it, or was killed: no other until {time_text(until)}", until)
    info = read_info(row.id, row.state, await connection.hgetall(connection.key.RECORD + row.id))  # type: ignore[misc]
    if code == "ended":
        killed = f": it killed {info.killed} workers" if info.killed else ""
        return Reason(code, f"it has ended: {row.state}{killed}")
    tree = await members.tree_of(connection, row.id) if code == "children" else None
    if tree is not None:
        n = len(await members.unended(connection, row.id, tree))
        return Reason(code, f"it has started, and waits for {n} of its {len(members.places_of(tree))} children")
    stopping = ", and is being stopped" if code == "stopping" else ""
    died = f"; {count(info.deaths, 'worker')} died while they ran it" if info.deaths else ""
    return Reason(code, f"it has started: it runs on {info.worker or '?'}{stopping}{died}")


async def _not_enqueued(connection: JobsRedis, job_id: str) -> Reason:
    """A member of a workflow has an id before it is enqueued."""
    member = await members.member_of(connection, job_id)
    if member is None:
        return Reason("unknown", "nobody has seen this id, or its result has ended")
    workflow, path, stored = member
    if await Result(workflow, connection).ready():
        return Reason("ended", f"it was never called: its workflow {workflow} has ended")
    tree = read(stored)
    prefix = members.prefix_of(workflow, tree)
    before, forgives = _before(tree, path)
    states = [state for state, *_ in await members.rows_of(connection, workflow, prefix, before)]
    if not forgives and {"FAILURE", "REVOKED"} & {*states}:
        return Reason("ended", f"it is never called: a step before it in workflow {workflow} has failed")
    n = sum(state not in TERMINAL for state in states)
    return Reason("children", f"it is called when {n} children before it in workflow {workflow} have ended")


def _before(node: Tree, path: str) -> tuple[list[str], bool]:
    """The paths of the tasks that must have ended before the one at *path* is called; and may one of them fail?"""
    found, above, forgives = list[str](), "", False
    for here in map(int, path.split(".")):
        inside = list(members.inside(node, above))
        for place, member in inside[:here] if kind_of(node) != "group" else ():
            found += members.places_of(member, place)
            forgives = forgives or _forgives(member)
        above, node = inside[here]
    return found, forgives


def _forgives(node: Tree) -> bool:
    """Is it, or is one in it, a group whose errors are results?"""
    inside = (member for _, member in members.inside(node, "") if "task" not in member)
    return bool(node.get("options", {}).get("return_exceptions")) or any(map(_forgives, inside))
