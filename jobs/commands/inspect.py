"""`inspect` and `status`: what workers and queues hold now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import click

from ..monitor.control import Waiting, waiting
from ..monitor.job_row import JobRow
from ..monitor.search import find
from ..monitor.worker_list import WorkerInfo
from ..store.clock import now_ms
from ..store.stored_values import moment, whole
from .frame import Answer, Asked, asks, queue_option
from .show import calls_of, count, line, span, time_text
from .values import limit_option


@click.command("inspect")
@click.argument(
    "action",
    type=click.Choice(
        ["active", "scheduled", "reserved", "registered", "revoked", "stats", "ping", "conf", "queued"]
    ),
)
@queue_option
@limit_option("Jobs", 100)
@asks
async def inspect_command(asked: Asked, action: str, queues: tuple[str, ...], limit: int) -> Answer:
    """What workers and queues hold now.

    \b
    active        jobs that run, by worker
    queued        jobs that are due, the oldest first (-Q: only these queues)
    scheduled     jobs whose time comes later, retries too
    reserved      due jobs that a rate or concurrency limit holds back, or that
                  wait for a worker that knows their task
    registered    the tasks that each worker knows
    revoked       jobs revoked lately
    stats         what each worker has done
    ping          which workers answer
    conf          how each worker is set up
    """
    if action in _OF_WORKERS:
        return _by_worker(await asked.workers(), *_OF_WORKERS[action])
    return await _OF_JOBS[action](asked, queues, limit)


@click.command("status")
@asks
async def status_command(asked: Asked) -> Answer:
    """Which workers are online; exit code 69 if none is."""
    workers = await asked.workers()
    lines = [f"{worker.name}: OK{' (quiet)' if worker.quiet else ''}" for worker in workers]
    data = [_about(worker, "name", "quiet", "queues") for worker in workers]
    return Answer(data, lines, [f"{count(len(workers), 'node')} online."])


def _by_worker(
    workers: list[WorkerInfo], data: Callable[[WorkerInfo], Any], text: Callable[[Any], list[str]]
) -> Answer:
    told = {worker.name: data(worker) for worker in workers}
    lines = []
    for name, value in told.items():
        shown = text(value)
        lines += [f"{name}: {shown[0]}"] if len(shown) == 1 else [f"{name}:", *shown]
    return Answer(told, lines)


def _indented(value: Any) -> list[str]:
    pairs = value.items() if isinstance(value, dict) else ((name, None) for name in value)
    return [f"  {name}" + ("" if inner is None else f": {_plain(inner)}") for name, inner in pairs] or ["-"]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _about(worker: WorkerInfo, *names: str) -> dict[str, Any]:
    return {name: getattr(worker, name) for name in names}


_STATS = ("running", "busy", "up_s", "pid", "memory_mb")
_CONF = ("queues", "max_jobs", "quiet", "host", "pid", "python", "arq", "quarq")
_OF_WORKERS: dict[str, tuple[Callable[[WorkerInfo], Any], Callable[[Any], list[str]]]] = {
    "ping": (lambda worker: "pong", lambda value: [value]),
    "registered": (lambda worker: worker.tasks, _indented),
    "stats": (lambda worker: {**worker.counts} | _about(worker, *_STATS), _indented),
    "conf": (lambda worker: _about(worker, *_CONF), _indented),
}


async def _active(asked: Asked, queues: tuple[str, ...], limit: int) -> Answer:
    now = await now_ms(asked.redis)
    data: dict[str, list[dict[str, Any]]] = {}
    lines: list[str] = []
    for worker in await asked.workers():
        rows = await _running(asked, worker.name, queues, limit)
        data[worker.name] = rows
        lines.append(f"{worker.name}: {count(len(rows), 'job')}")
        for row in rows:
            since = f"since {span(now / 1000 - row['started'].timestamp())}" if row["started"] else ""
            lines.append("  " + line(row["id"], row, since))
    return Answer(data, lines)


async def _running(asked: Asked, worker: str, queues: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    held = await asked.redis.hkeys(asked.redis.key.RUNNING + worker)  # type: ignore[misc]
    ids = [job_id.decode(errors="replace") for job_id in held]
    async with asked.redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hmget(asked.redis.key.RECORD + job_id, ["queue", "received", "attempts"])
        records = await pipe.execute()
    calls = await calls_of(asked, ids)
    rows = [
        {"id": job_id, **calls[job_id], "queue": (queue or b"").decode(errors="replace"), "started": moment(since),
         "attempts": whole(attempts) or 1}
        for job_id, (queue, since, attempts) in zip(ids, records, strict=True)
    ]  # fmt: skip
    rows.sort(key=lambda row: (row["started"] is None, row["started"]))
    return [row for row in rows if not queues or row["queue"] in queues][:limit]


async def _waiting(
    asked: Asked,
    queues: tuple[str, ...],
    limit: int,
    which: Literal["due", "later"],
    wanted: Callable[[Waiting], bool] = lambda job: True,
) -> Answer:
    found: list[Waiting] = []
    for queue in await asked.queues(queues):
        before = len(found)
        async for job in waiting(asked.redis, queue, which):
            if wanted(job):
                found.append(job)
            if len(found) - before > limit:
                break
    found.sort(key=lambda job: job.due)
    shown = found[:limit]
    calls = await calls_of(asked, [job.id for job in shown])
    data = [
        {"id": job.id, "queue": job.queue, **calls[job.id], "state": job.state, "kind": job.kind, "due": job.due,
         "age_s": round(job.age_s, 3)}
        for job in shown
    ]  # fmt: skip
    lines = [line(job.id, calls[job.id], job.queue, job.state, _when(job)) for job in shown]
    more = f", and more (-n {limit * 10})" if len(found) > limit else ""
    return Answer(data, lines, [f"{count(len(shown), 'job')}{more}."])


def _when(job: Waiting) -> str:
    return f"due since {span(job.age_s)}" if job.age_s >= 0 else f"at {time_text(job.due)}"


async def _revoked(asked: Asked, queues: tuple[str, ...], limit: int) -> Answer:
    """Of the jobs that ended; the newest first."""
    rows: list[JobRow] = []
    cursor = ""
    while len(rows) < limit:
        page = await find(asked.redis, state="REVOKED", cursor=cursor, limit=limit)
        rows += [row for row in page.rows if not queues or row.queue in queues]
        cursor = page.next
        if not cursor:
            break
    rows = rows[:limit]
    data = [
        {"id": row.id, "task": row.task or "?", "queue": row.queue, "revoked": row.finished} for row in rows
    ]
    lines = [f"{row.id}  {row.task or '?'}  {row.queue}  {time_text(row.finished)}" for row in rows]
    return Answer(data, lines, [f"{count(len(rows), 'job')}."])


_OF_JOBS: dict[str, Callable[[Asked, tuple[str, ...], int], Awaitable[Answer]]] = {
    "active": _active,
    "queued": partial(_waiting, which="due"),
    "scheduled": partial(_waiting, which="later", wanted=lambda job: not (job.held or job.unknown)),
    "reserved": partial(_waiting, which="later", wanted=lambda job: job.held or job.unknown),
    "revoked": _revoked,
}
