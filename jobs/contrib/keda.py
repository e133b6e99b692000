"""What KEDA's `metrics-api` scaler asks a worker's port: how much work there is, and who is there to do it."""

import json
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlencode

from .. import monitor
from ..client.connection import JobsRedis
from ..errors import WrongValue
from ..values import checks
from ..worker.lease_renewer import Statistics
from .port import Answer

MOST_QUEUES = 20


async def answer(query: str, redis: JobsRedis, queues: Sequence[str], statistics: Callable[[], Statistics]) -> Answer:
    """`queue=NAME`, which may be repeated, are the queues that are meant; by default those of the worker.

    `value` is what to scale by: jobs that run and jobs that are due, but for those of paused queues. By the length of
    its queue alone, a deployment would shrink as soon as its workers had claimed everything. `slots` and `busy` are of
    the workers that serve one of the queues and take new jobs.
    """
    names = _names(query) or list(queues)
    found, workers = await monitor.queues_named(redis, names), await monitor.workers(redis)
    taking = [worker for worker in workers if not worker.quiet and not set(names).isdisjoint(worker.queues)]
    figures = {
        "queue": ",".join(names),
        "due": sum(queue.due for queue in found),
        "running": sum(queue.running for queue in found),
        "scheduled": sum(queue.scheduled for queue in found),
        "slots": sum(worker.max_jobs for worker in taking),
        "busy": sum(worker.busy for worker in taking),
        "value": sum(queue.running + (0 if queue.paused else queue.due) for queue in found),
    }
    return Answer(200, json.dumps(figures), "application/json")


def normal(query: str) -> str:
    """The same for all queries that name the same queues. ValueError: it asks for something else, or names too many."""
    return urlencode([("queue", name) for name in sorted(_names(query))])


def _names(query: str) -> list[str]:
    fields = parse_qs(query, keep_blank_values=True, max_num_fields=MOST_QUEUES)
    if fields.keys() - {"queue"}:
        raise WrongValue("ask /scale?queue=NAME, with &queue=NAME for each further queue")
    return list(dict.fromkeys(checks.name("queue", name) for name in fields.get("queue", ())))
