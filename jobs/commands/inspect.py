"""`inspect`, `status`, `result` and `why`: what workers and queues hold, how a job ended, why it has not started."""

import contextlib
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from glob import escape
from math import inf
from operator import attrgetter
from typing import Any, Literal

import click

from .. import monitor, monitor_site
from ..client.result import Result
from ..errors import ResultUnknown
from ..values.short_text import count, duration_text, text, time_text
from .frame import Answer, Context, Unavailable, command_body, limit_option, queue_option


@click.command("inspect")
@click.argument(
    "action",
    type=click.Choice(
        ["active", "scheduled", "reserved", "registered", "revoked", "stats", "ping", "conf", "queued", "lost", "stack"]
    ),
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
                  wait for a worker that knows their task; and jobs of dead
                  workers that wait for their turn to run again
    registered    the tasks that each worker knows
    revoked       jobs revoked lately
    stats         what each worker has done
    ping          which workers answer
    conf          how each worker is set up
    lost          workers that went without a goodbye within the last hour
    stack         where each job of a worker is: file, line, function
    """
    if action in _OF_WORKERS:
        return _by_worker(await context.workers(), _OF_WORKERS[action])
    return await _OF_JOBS[action](context, queues, limit)


@click.command("status")
@command_body
async def status_command(context: Context) -> Answer:
    """Which workers are online, and which of their jobs run much longer than usual; exit code 69 if none is."""
    workers, lines, data = await context.workers(), list[str](), list[dict[str, Any]]()
    long_runs = await monitor_site.long_runs(context.redis)
    for worker in workers:
        own = [run for run in long_runs if run.worker == worker.name]
        lines += [f"{worker.name}: OK{' (quiet)' if worker.quiet else ''}", *(f"  {run.line}" for run in own)]
        data.append(_about(worker, "name", "quiet", "queues") | {"long_runs": own})
    return Answer(data, lines, [f"{count(len(workers), 'node')} online."])


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


_OF_WORKERS: dict[str, Callable[[monitor.WorkerInfo], Any]] = {
    "ping": lambda worker: "pong",
    "registered": lambda worker: worker.tasks,
    "stats": lambda worker: {**worker.counts} | _about(worker, "running", "busy", "up_s", "pid", "memory_mb", "lag_ms"),
    "conf": lambda worker: _about(
        worker, "queues", "max_jobs", "quiet", "host", "pid", "version", "python", "arq", "quarq"
    ),
}


def as_data(call: monitor.MaskedCall) -> dict[str, Any]:
    """Task, masked arguments and headers, for JSON."""
    headers = {"headers": call.headers} if call.headers else {}
    return {"task": call.task or "?", "args": call.args, "kwargs": call.kwargs, **headers}


async def _unfinished(context: Context, rows: list[monitor.JobRow]) -> tuple[list[dict[str, Any]], list[str]]:
    """These jobs for JSON, and a line for each."""
    at_hand, data, lines = await monitor.situation(context.redis), list[dict[str, Any]](), list[str]()
    now, calls = at_hand.at, await monitor.unfinished_calls(context.redis, [row.id for row in rows])
    for row, call in zip(rows, calls, strict=True):
        [reason, *_] = at_hand.codes(row if row.task else replace(row, task=call.task))
        age_s = (now - (row.due or now)).total_seconds()
        times = {"due": row.due, "age_s": round(age_s, 3), "started": row.started, "attempts": row.attempts}
        state = {"state": row.state, "reason": reason, "kind": row.kind}
        data.append({"id": row.id, "queue": row.queue, **as_data(call), **state, **times})
        when = f"due since {duration_text(age_s)}" if age_s >= 0 else f"at {time_text(row.due)}"
        if row.started and row.state == "STARTED":
            when = f"since {duration_text((now - row.started).total_seconds())}"
        held = "" if reason in ("due", "next", "running") else f"  {reason}"
        lines.append(f"{row.id}  {call.task or '?'}({call.text(60)})  {row.queue}  {row.state}  {when}{held}")
    return data, lines


async def _active(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    data, lines = {}, list[str]()
    for worker in await context.workers():
        rows = [row for row in await monitor.running(context.redis, worker.name) if not queues or row.queue in queues]
        data[worker.name], shown = await _unfinished(context, rows[:limit])
        lines += [f"{worker.name}: {count(len(shown), 'job')}", *(f"  {line}" for line in shown)]
    return Answer(data, lines)


async def _waiting(
    context: Context, queues: tuple[str, ...], limit: int, which: Literal["due", "later"], is_held: bool = False
) -> Answer:
    found, at = list[monitor.JobRow](), await monitor.now(context.redis)
    for queue in await context.queues(queues):
        before = len(found)
        found += await monitor.lapsed(context.redis, queue, limit + 1) if is_held else []
        async for row in monitor.waiting(context.redis, queue, which):
            if which == "due" or (row.due is not None and row.due <= at) == is_held:
                found.append(row)
            if len(found) - before > limit:
                break
    data, lines = await _unfinished(context, sorted(found, key=attrgetter("due"))[:limit])
    more = f", and more (-n {limit * 10})" if len(found) > limit else ""
    return Answer(data, lines, [f"{count(len(lines), 'job')}{more}."])


async def _revoked(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    """Of the jobs that ended; the newest first."""
    names = {"queue": [escape(name) for name in queues]} if queues else {}
    wanted = monitor.Wanted(await monitor.now(context.redis), ["revoked"], names)
    rows = (await monitor.find(context.redis, wanted, limit=limit, patience_s=inf)).rows
    data = [{"id": row.id, "task": row.task or "?", "queue": row.queue, "revoked": row.finished} for row in rows]
    lines = [f"{row.id}  {row.task or '?'}  {row.queue}  {time_text(row.finished)}" for row in rows]
    return Answer(data, lines, [f"{count(len(rows), 'job')}."])


async def _lost(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    found = (await monitor_site.lost_workers(context.redis))[:limit]
    return Answer(found, [one.line for one in found], [f"{count(len(found), 'worker')}."])


async def _stack(context: Context, queues: tuple[str, ...], limit: int) -> Answer:
    found = {}
    for worker in await context.workers():
        try:
            found[worker.name] = await monitor_site.stacks(context.redis, worker.name) or []
        except TimeoutError:
            raise Unavailable(f"{worker.name}: its event loop is blocked, and its log says where") from None
    return Answer(found, [line for some in found.values() for one in some[:limit] for line in one.lines])


_OF_JOBS: dict[str, Callable[[Context, tuple[str, ...], int], Awaitable[Answer]]] = {
    "active": _active,
    "queued": partial(_waiting, which="due"),
    "scheduled": partial(_waiting, which="later"),
    "reserved": partial(_waiting, which="later", is_held=True),
    "revoked": _revoked,
    "lost": _lost,
    "stack": _stack,
}


RESULT_CHARS = 10_000


@click.command("result")
@click.argument("job_id", metavar="ID")
@click.option("--traceback", "with_traceback", is_flag=True, help="The traceback of a failure, and those before it.")
@command_body
async def result_command(context: Context, job_id: str, with_traceback: bool) -> Answer:
    """What a job returned; exit code 1 if it has not ended well. With -t it is waited for."""
    result = Result(job_id, context.redis)
    state = await result.state()
    if context.timeout_s and state not in ("UNKNOWN", "SUCCESS", "FAILURE", "REVOKED"):
        with contextlib.suppress(TimeoutError):
            await result.get(timeout=context.timeout_s, propagate=False)
        state = await result.state()
    data: dict[str, Any] = {"id": job_id, "state": state, "result": None}
    if state == "UNKNOWN":
        return Answer(data, [f"{job_id}: UNKNOWN: nobody has seen this id, or its result has ended"], code=1)
    info = None
    with contextlib.suppress(ResultUnknown):  # the record may be gone before the result
        info = await result.info()
        data |= {"task": info.task, "queue": info.queue, "worker": info.worker, "attempts": info.attempts,
                 "enqueued": info.enqueued, "started": info.started, "finished": info.finished}  # fmt: skip
    call = await monitor.call_of(context.redis, job_id)
    if call:
        data |= as_data(call)
    if state not in ("SUCCESS", "FAILURE", "REVOKED"):
        return Answer(data, [f"{job_id}: {state}"], code=1)
    value = await result.get(propagate=False)
    if state == "SUCCESS":
        return Answer(data | {"result": value}, [text(value, RESULT_CHARS)])
    error = monitor.error_text(value, RESULT_CHARS)
    lines = [f"{job_id}: {state}: {error}"]
    if with_traceback:
        data["traceback"] = _traceback(info, value)
        lines = data["traceback"].rstrip().expandtabs().split("\n")
    return Answer(data | {"error": error}, lines, await _reruns(context, job_id), code=1)


@click.command("why")
@click.argument("job_id", metavar="ID")
@command_body
async def why_command(context: Context, job_id: str) -> Answer:
    """Why a job has not started: every reason there is. Exit code 1 for an unknown id."""
    reasons = await monitor.why(context.redis, job_id)
    lines = [f"{job_id}: {reason.text}" for reason in reasons]
    return Answer(reasons, lines, await _reruns(context, job_id), code=int(reasons[0].code == "unknown"))


async def _reruns(context: Context, job_id: str) -> list[str]:
    """The other jobs that are this one: the one that was called first, and those that ran it again."""
    rows, first = await monitor_site.reruns_of(context.redis, job_id), monitor_site.original_of(job_id)
    said = ("Run again as", "Runs again")
    return [f"{said[row.id == first]} {row.id}: {row.state}" for row in rows if row.id != job_id]


def _traceback(info: monitor.JobInfo | None, error: BaseException) -> str:
    """Of each attempt that has one; else what came with the exception. A job that was put back has used none."""
    history = () if info is None else info.history
    attempts = [attempt for attempt in history if attempt.text and attempt.outcome != "PENDING"]
    if not attempts:
        return "".join(traceback.format_exception(error))
    return "\n".join(f"Attempt {a.number} on {a.worker}: {a.outcome}\n{a.text.rstrip()}" for a in attempts)
