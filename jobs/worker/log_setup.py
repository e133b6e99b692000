"""How a worker logs: under arq's command line, so that no line of ours raises, and what it says at its start."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..client.connection import JobsRedis
from ..schedules.schedule import Schedule
from ..tasks import registry
from ..tasks.registry import RegisteredTask
from ..values.library_name import NAME
from .execution.job_log import TurnHandler
from .worker_options import TaskFunction

OF_WORKERS = ("arq.worker.jobs", "arq.worker", "arq")
LOGGERS = (
    "arq.worker.jobs", "jobs.exceptions", "jobs.notifications", "jobs.otel", "jobs.subscription", "jobs.workflows",
    "jobs.wrong_type",
)  # fmt: skip


def log_config(verbose: bool) -> dict[str, Any]:
    """What arq's command line does without `--custom-log-dict`: INFO lines of every logger go to stderr, arq's with
    *verbose* its DEBUG lines too. Handlers and levels that the application has set stay. Where its handlers get the
    worker's lines, there is none of ours. A root logger at WARNING, as Python has it, is no level that somebody set.
    """
    root, way = logging.getLogger(), list(_way())
    handlers = [handler for logger in way for handler in handlers_of(logger)]
    if not handlers:
        for logger in {way[-1], root}:
            if not handlers_of(logger):
                logger.addHandler(TurnHandler())
    if root.level == logging.WARNING:
        formats = [handler.formatter and handler.formatter._fmt for handler in handlers_of(root)]
        if not handlers or formats == [logging.BASIC_FORMAT]:  # `logging.info(...)` makes one, in a library's import
            root.setLevel(logging.INFO)
        if not any(logging.getLogger(name).level for name in OF_WORKERS):
            logging.getLogger("arq").setLevel(logging.INFO)
    if verbose:
        logging.getLogger("arq").setLevel(logging.DEBUG)
    return {"version": 1, "incremental": True}  # any other would reset levels, and close handlers


def _way() -> Iterator[logging.Logger]:
    """The loggers whose handlers get the worker's lines."""
    logger: logging.Logger | None = logging.getLogger(OF_WORKERS[0])
    while logger is not None:
        yield logger
        logger = logger.parent if logger.propagate else None


def handlers_of(logger: logging.Logger) -> list[logging.Handler]:
    return [handler for handler in logger.handlers if not isinstance(handler, logging.NullHandler)]


def keep_in_logging() -> None:
    """From now on no line of ours raises: errors go to stderr. Our fields replace those that a factory has set."""
    for logger in map(logging.getLogger, LOGGERS):
        logger.makeRecord = partial(_made, logger)  # type: ignore[method-assign]
        logger.handle = partial(_handled, logger)  # type: ignore[method-assign]


def _made(logger: logging.Logger, *said: Any) -> logging.LogRecord:
    make: Any = type(logger).makeRecord
    *first, fields, stack = said
    try:
        record: logging.LogRecord = make(logger, *first, None, stack)
    except Exception:
        record = logging.LogRecord(*first, stack)  # type: ignore[call-arg]
        logging.Handler().handleError(record)
    vars(record).update(fields or {})
    return record


def _handled(logger: logging.Logger, record: logging.LogRecord) -> None:
    try:
        type(logger).handle(logger, record)
    except Exception:
        logging.Handler().handleError(record)


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
