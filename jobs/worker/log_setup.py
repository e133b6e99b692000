"""How a process logs: under arq's command line, as JSON, and in the processes of `process=True`."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .json_log import JsonLines
from .turn_log import TEXT, TurnHandler

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
    handlers = [handler for logger in way for handler in _handlers(logger)]
    if not handlers:
        for logger in {way[-1], root}:
            if not _handlers(logger):
                logger.addHandler(TurnHandler())
    if root.level == logging.WARNING:
        formats = [handler.formatter and handler.formatter._fmt for handler in _handlers(root)]
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


def _handlers(logger: logging.Logger) -> list[logging.Handler]:
    return [handler for handler in logger.handlers if not isinstance(handler, logging.NullHandler)]


def use_json_lines() -> None:
    """Give every handler of this process this form, and those that they hand lines on to."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = [one for logger in loggers if isinstance(logger, logging.Logger) for one in logger.handlers]
    for handler in handlers:
        if not isinstance(handler.formatter, JsonLines):
            handler.setFormatter(JsonLines())
        if isinstance(target := getattr(handler, "target", None), logging.Handler) and target not in handlers:
            handlers.append(target)


def of_this_process() -> Callable[[], None]:
    """What gives another process the level and the form of our lines. It can be pickled."""
    root = logging.getLogger()
    forms = (one.formatter or logging.Formatter() for one in _handlers(root))
    known = (form if type(form) in (logging.Formatter, JsonLines) else TEXT for form in forms)
    return partial(_take_over, root.level, next(known, None))


def _take_over(level: int, formatter: logging.Formatter | None) -> None:
    """Log to stderr as another process does, unless the task's module has configured logging."""
    root = logging.getLogger()
    if formatter is not None and not _handlers(root):  # else that one has no handler
        root.addHandler(handler := logging.StreamHandler())
        handler.setFormatter(formatter)
    if root.level == logging.WARNING:
        root.setLevel(level)
    if isinstance(formatter, JsonLines):
        use_json_lines()


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
