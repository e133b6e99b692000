"""Has a plan carried out: by the job of a live worker, if there is one that can."""

from datetime import timedelta

from ..client.connection import JobsRedis
from ..client.submit import call_of
from ..store.stored_values import moment_of, text
from ..workflows.canvas import Signature
from .bulk_plan import RUN_KEPT_S, TASK, Plan
from .model.audit_log import BEGUN, note
from .model.worker_list import online


def run_id(made: Plan) -> str:
    """The id of the job that carries out a plan; when it is retried, `<id>~2` and so on."""
    return f"bulk:{made.id}"


async def queue_for_runs(connection: JobsRedis) -> str:
    """A queue that is not paused, of a live worker that has the task of runs, a free one first; '' if there is none."""
    workers = [worker for worker in await online(connection) if TASK in worker.tasks and not worker.quiet]
    workers.sort(key=lambda worker: worker.busy >= worker.max_jobs)
    paused = set(map(text, await connection.smembers(connection.key.PAUSED)))  # type: ignore[misc]
    return next((queue for worker in workers for queue in worker.queues if queue not in paused), "")


async def start(connection: JobsRedis, made: Plan, who: str) -> str | None:
    """Have a worker carry out a plan; returns the job that does, which comes before all others of its queue.

    Its `progress()` is {"done", "total", "skipped"}. Starting it twice is starting it once. None: there is no queue for
    runs, see above; `confirm` and the command do it without.
    """
    if not (queue := await queue_for_runs(connection)):
        return None
    await confirm(connection, made, who)
    head = await connection.zrange(connection.key.queue_key(queue), 0, 0, withscores=True)
    first = min([made.at, *(moment_of(score) for _, score in head)]) - timedelta(milliseconds=1)
    options = {"task_id": run_id(made), "queue": queue, "eta": first}
    call = call_of(connection, Signature(TASK, (made.id,)), options)
    await connection.enqueue([call])
    return call.id


async def confirm(connection: JobsRedis, made: Plan, who: str) -> None:
    """Keep a plan for a week, and note in the audit who has it carried out."""
    key = connection.key.BULK + made.id
    if await connection.hsetnx(key, "who", who):  # type: ignore[misc]
        entry = await note(connection, who, f"{made.action} many", made.query, f"{made.jobs:,} jobs. {BEGUN}")
        await connection.hset(key, "entry", entry)  # type: ignore[misc]
    await connection.expire(key, RUN_KEPT_S)
