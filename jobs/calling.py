"""From a call that somebody made to one that Redis stores: ids, times, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from jobs import keys, registry
from jobs.current import running_job
from jobs.errors import QuarqError, UnknownTask

if TYPE_CHECKING:
    from jobs.connection import JobsRedis
    from jobs.decorator import Task

Moment = float | timedelta | datetime | None
"""A delay in seconds from Redis' now, or a time; a naive time is local, as `datetime.timestamp()` reads it."""

OPTIONS: Final = frozenset({"countdown", "eta", "expires", "task_id", "queue"})


@dataclass(frozen=True)
class Call:
    """One call on its way to Redis. `due` and `expires`: '' none, '+n' ms from Redis' now, 'n' ms since the epoch."""

    id: str
    queue: str
    payload: bytes
    task: str
    due: str = ""
    expires: str = ""


def make_call(
    connection: JobsRedis,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Call:
    """The call of a task, checked as far as this process can: it may know the task by no more than its name."""
    if unknown := options.keys() - OPTIONS:
        raise TypeError(f"{name}: apply_async() has no option {', '.join(sorted(unknown))}")
    task = _known(name)
    eta, countdown = options.get("eta"), options.get("countdown")
    expires = options.get("expires")
    if expires is None and task is not None:
        expires = task.options.expires
    return Call(
        id=_checked_id(options.get("task_id")),
        queue=options.get("queue") or (task.options.queue if task is not None else keys.DEFAULT_QUEUE),
        payload=_payload(connection, task, name, args, dict(kwargs)),
        task=name,
        due=moment(eta if eta is not None else countdown) or _due_of_parent(),
        expires=moment(expires),
    )


def moment(value: Moment) -> str:
    """'+n' ms from now for a delay, 'n' ms since the epoch for a time, '' for none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(int(value.timestamp() * 1000))
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return f"+{max(int(seconds * 1000), 0)}"


def _due_of_parent() -> str:
    """What a job calls is as old as the job itself, so that work begun is ended before new work is begun."""
    job = running_job()
    return str(job.request.due_ms) if job is not None and job.request.due_ms else ""


def _known(name: str) -> Task[Any, Any] | None:
    try:
        return registry.lookup(name)  # type: ignore[return-value]  # only @task registers
    except UnknownTask:
        return None


def _payload(
    connection: JobsRedis, task: Task[Any, Any] | None, name: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> bytes:
    if task is None:
        return connection.encode_call(name, args, kwargs)
    return task.encode(connection, args, kwargs)


def _checked_id(job_id: str | None) -> str:
    if job_id is None:
        return uuid4().hex
    if not job_id or len(job_id) > 512 or not job_id.isprintable():
        raise QuarqError(f"task_id={job_id!r:.80}: give 1 to 512 printable characters")
    return job_id
