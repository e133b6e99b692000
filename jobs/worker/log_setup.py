"""How a process logs: under arq's command line, as JSON, and in the processes of `process=True`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .json_log import JsonLines
from .log_errors import keep_in_logging

TEXT = logging.Formatter("%(asctime)s: %(message)s", "%H:%M:%S")
"""As arq writes its lines."""
OF_WORKERS = ("arq.worker.jobs", "arq.worker", "arq")


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
                logger.addHandler(_to_stderr(TEXT))
    if root.level == logging.WARNING:
        if not handlers or _is_implicit(root):
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


def _is_implicit(root: logging.Logger) -> bool:
    """Has it been configured by `logging.info(...)`, which some library calls at import?"""
    handlers = _handlers(root)
    formats = [handler.formatter and handler.formatter._fmt for handler in handlers]
    return formats == [logging.BASIC_FORMAT] and type(handlers[0]) is logging.StreamHandler


def _to_stderr(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    return handler


def prepare(log_format: str) -> None:
    """What a worker does when it starts, whatever started it."""
    keep_in_logging()
    if log_format == "json":
        use_json_lines()


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
    if formatter is None:  # that one has no handler
        return
    if not _handlers(root):
        root.addHandler(_to_stderr(formatter))
    if root.level == logging.WARNING:
        root.setLevel(level)
    if isinstance(formatter, JsonLines):
        use_json_lines()
