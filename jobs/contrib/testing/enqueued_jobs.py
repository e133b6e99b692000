"""What waits in Redis, for the tests of applications: a list of it, and an assertion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from ... import encoding
from ...client.decorator import Task
from ...client.plain_data import with_plain_data
from ...store import default
from ...store.keys import NO_PREFIX, Keys
from ...store.store import Store
from ...store.stored_values import moment_of
from ...values.calls import awaited
from ...worker.execution.runnables import decode_call
from ...workflows.canvas import Signature


@dataclass(frozen=True)
class Enqueued:
    """A job that waits. `due` is in UTC, by Redis' clock."""

    id: str
    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    queue: str
    due: datetime


@awaited
async def enqueued(redis: Redis | None = None) -> list[Enqueued]:
    """Every job that waits in *redis* (default: the connection that `.delay()` uses), by the time it is due.
    For tests: a production Redis may hold millions."""
    client: Redis = redis if redis is not None else default.current()
    names = client.key if isinstance(client, Store) else NO_PREFIX
    jobs = []
    async for key in client.scan_iter(names.beginning_with(Keys.QUEUE), _type="zset"):
        for job_id, due in await client.zrange(key, 0, -1, withscores=True):
            payload = await client.get(names.JOB + job_id.decode())
            if payload is not None and not await client.exists(names.IN_PROGRESS + job_id.decode()):
                call, queue = decode_call(payload, encoding.loads_job), names.queue_name(key.decode())
                jobs.append(Enqueued(job_id.decode(), call.task, call.args, call.kwargs, queue, moment_of(due)))
    return sorted(jobs, key=lambda job: job.due)


@awaited
async def assert_enqueued(
    task: Task[Any, Any] | str,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    count: int | None = None,
    redis: Redis | None = None,
) -> list[Enqueued]:
    """Fail unless *count* calls of *task* wait (default: one or more), those with these *args* and *kwargs* if given.
    Returns them; the failure shows every job that waits."""
    name = task if isinstance(task, str) else task.name
    waiting = await enqueued(redis)
    plain = with_plain_data(Signature(name, args, kwargs))  # as what waits is
    asked = {"args": None if args is None else plain.args, "kwargs": None if kwargs is None else plain.kwargs}
    asked = {word: value for word, value in asked.items() if value is not None}
    found = [job for job in waiting if job.task == name and asked.items() <= vars(job).items()]
    if (not found) if count is None else len(found) != count:
        wanted = "a call" if count is None else f"{count} calls"
        detail = "".join(f" with {word}={value!r}" for word, value in asked.items())
        shown = "\n".join(f"  {job.task} args={job.args!r} kwargs={job.kwargs!r}" for job in waiting)
        expected = f"{wanted} of {name}{detail} expected, {len(found)} found"
        raise AssertionError(f"{expected}; these wait:\n{shown or '  nothing'}")
    return found
