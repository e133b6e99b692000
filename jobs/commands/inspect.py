"""`inspect`, `status` and `schedules`: what workers and queues hold now, and what is due by itself."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Literal

import click

from .. import monitor
from ..values.short_text import count, time_text
from .frame import Answer, Context, command_body, queue_option
from .values import limit_option


@click.command("inspect")
@click.argument(
    "action",
    type=click.Choice(["active", "scheduled", "reserved", "registered", "revoked", "stats", "ping", "conf", "queued"]),
)
@queue_option
@limit_option("Jobs", 100)
@command_body
async def inspect_command(context: Context, action: str, queues: tuple[str, ...], limit: int) -> Answer:
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
        return _by_worker(await context.workers(), _OF_WORKERS[action])
    return await _OF_JOBS[action](context, queues, limit)


@click.command("status")
@command_body
async def status_command(context: Context) -> Answer:
    """Which workers are online; exit code 69 if none is."""
    workers = await context.workers()
    lines = [f"{worker.name}: OK{' (quiet)' if worker.quiet else ''}" for worker in workers]
    data = [_about(worker, "name", "quiet", "queues") for worker in workers]
    return Answer(data, lines, [f"{count(len(workers), 'node')} online."])


@click.command("schedules")
@command_body
async def schedules_command(context: Context) -> Answer:
    """Every schedule that workers have: when it is due, its last and its next run."""
    found = await monitor.schedules(context.redis)
    lines = list(map(_schedule_line, found))
    return Answer(found, lines, [f"{count(len(found), 'schedule')}."])


def _by_worker(workers: list[monitor.WorkerInfo], data: Callable[[monitor.WorkerInfo], Any]) -> Answer:
    answers = {worker.name: data(worker) for worker in workers}
    lines = []
    for name, value in answers.items():
        shown = [value] if isinstance(value, str) else _indented(value)
        lines += [f"{name}: {shown[0]}"] if len(shown) == 1 else [f"{name}:", *shown]
    return Answer(answers, lines)


def _indented(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [f"  {name}" for name in value] or ["-"]
    return [f"  {name}: {', '.join(inner) if isinstance(inner, tuple) else inner}" for name, inner in value.items()]


def _about(worker: monitor.WorkerInfo, *names: str) -> dict[str, Any]:
    return {name: getattr(worker, name) for name in names}


def _schedule_line(info: monitor.ScheduleInfo) -> str:
    last = f"last {time_text(info.last_run)}" if info.last_run else "never run"
    coming = "paused" if info.paused else f"next {time_text(info.next_run)}" if info.next_run else "no next run"
    gone = f"  no worker has it{f' since {time_text(info.seen)}' if info.seen else ''}" if info.gone else ""
    return f"{info.name}  {info.task}  {info.when}  {last}  {coming}{gone}"


_OF_WORKERS: dict[str, Callable[[monitor.WorkerInfo], Any]] = {
    "ping": lambda worker: "pong",
    "registered": lambda worker: worker.tasks,
    "stats": lambda worker: {**worker.counts} | _about(worker, "running", "busy", "up_s", "pid", "memory_mb"),
    "conf": lambda worker: _about(worker, "queues", "max_jobs", "quiet", "host", "pid", "python", "arq", "quarq"),
}


def as_data(call: monitor.MaskedCall) -> dict[str, Any]:
    """Task, masked arguments and headers, for JSON."""
    headers = {"headers": call.headers} if call.headers else {}
    return {"task": call.task or "?", "args": call.args, "kwargs": call.kwargs, **headers}


def _line(job_id: str, call: monitor.MaskedCall, *more: str) -> str:
    """`id  task(arguments)  and more`."""
    shown = f"{call.task or '?'}({call.text(60)})"
    return "  ".join([job_id, shown, *(word for word in more if word)])


def _span(seconds: float) -> str:
    """`3.2 s`, `5 min`, `2 h`, `4 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


async def _active(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    now = await monitor.now(context.redis)
    data: dict[str, list[dict[str, Any]]] = {}
    lines: list[str] = []
    for worker in await context.workers():
        held = await monitor.running(context.redis, worker.name)
        rows = [row for row in held if not queues or row.queue in queues][:limit]
        calls = await monitor.unfinished_calls(context.redis, [row.id for row in rows])
        data[worker.name] = []
        lines.append(f"{worker.name}: {count(len(rows), 'job')}")
        for row, call in zip(rows, calls, strict=True):
            times = {"queue": row.queue, "started": row.started, "attempts": row.attempts or 1}
            data[worker.name].append({"id": row.id, **as_data(call), **times})
            since = f"since {_span((now - row.started).total_seconds())}" if row.started else ""
            lines.append("  " + _line(row.id, call, since))
    return Answer(data, lines)


async def _waiting(
    context: Context,
    queues: tuple[str, ...],
    limit: int,
    which: Literal["due", "later"],
    wanted: Callable[[monitor.JobRow], bool] = lambda row: True,
) -> Answer:
    now = await monitor.now(context.redis)
    found: list[tuple[datetime, monitor.JobRow]] = []
    for queue in await context.queues(queues):
        before = len(found)
        async for row in monitor.waiting(context.redis, queue, which):
            if row.due and wanted(row):
                found.append((row.due, row))
            if len(found) - before > limit:
                break
    found.sort(key=lambda job: job[0])
    shown = found[:limit]
    calls = await monitor.unfinished_calls(context.redis, [row.id for _, row in shown])
    data, lines = [], []
    for (due, row), call in zip(shown, calls, strict=True):
        age_s = (now - due).total_seconds()
        data.append({"id": row.id, "queue": row.queue, **as_data(call), "state": row.state, "kind": row.kind,
                     "due": due, "age_s": round(age_s, 3)})  # fmt: skip
        when = f"due since {_span(age_s)}" if age_s >= 0 else f"at {time_text(due)}"
        lines.append(_line(row.id, call, row.queue, row.state, when))
    more = f", and more (-n {limit * 10})" if len(found) > limit else ""
    return Answer(data, lines, [f"{count(len(shown), 'job')}{more}."])


async def _revoked(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    """Of the jobs that ended; the newest first."""
    rows: list[monitor.JobRow] = []
    cursor = ""
    while len(rows) < limit:
        page = await monitor.find(context.redis, state="REVOKED", cursor=cursor, limit=limit)
        rows += [row for row in page.rows if not queues or row.queue in queues]
        cursor = page.next
        if not cursor:
            break
    rows = rows[:limit]
    data = [{"id": row.id, "task": row.task or "?", "queue": row.queue, "revoked": row.finished} for row in rows]
    lines = [f"{row.id}  {row.task or '?'}  {row.queue}  {time_text(row.finished)}" for row in rows]
    return Answer(data, lines, [f"{count(len(rows), 'job')}."])


_OF_JOBS: dict[str, Callable[[Context, tuple[str, ...], int], Awaitable[Answer]]] = {
    "active": _active,
    "queued": partial(_waiting, which="due"),
    "scheduled": partial(_waiting, which="later", wanted=lambda row: not (row.held or row.unknown)),
    "reserved": partial(_waiting, which="later", wanted=lambda row: row.held or row.unknown),
    "revoked": _revoked,
}
