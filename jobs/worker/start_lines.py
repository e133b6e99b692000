"""What a worker logs at its start: what it runs and from where, and what of it nobody else would notice."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..client.connection import JobsRedis
from ..schedules.schedule import Schedule
from ..tasks import registry
from ..tasks.registry import RegisteredTask
from ..values.library_name import NAME
from .arq_options import TaskFunction

logger = logging.getLogger("arq.worker.jobs")


def log_start(functions: Mapping[str, Any], queues: Sequence[str], redis: JobsRedis, max_jobs: int) -> None:
    """*functions* as arq's worker has them: by name, and schedules among them."""
    own, queue_of = list[str](), dict[str, str]()
    for name, one in functions.items():
        task: RegisteredTask | None = one.task if isinstance(one, TaskFunction) else None
        if isinstance(one, Schedule):
            task = registry.find(one.task)
        if task is None or task.declared_in.partition(".")[0] != NAME:
            own.append(name)
            if task is not None:
                queue_of[task.name] = task.options.queue
    at, served = redis.connection_pool.connection_kwargs, ", ".join(queues)
    where = at.get("path") or f"{at['host']}:{at['port']}"
    said = len(own), ", ".join(own), served, f"{where}/{at['db']}", max_jobs
    logger.info("Starting worker for %d functions: %s; queues: %s; Redis: %s; max_jobs: %d", *said)
    if not own:
        logger.warning("this worker was given no task, function or schedule: it runs nothing but workflows")
    if apart := [f"{queue} of {name}" for name, queue in queue_of.items() if queue not in queues]:
        logger.warning("this worker does not serve %s; it serves %s", ", ".join(apart), served)
