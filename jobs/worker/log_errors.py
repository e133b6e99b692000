"""Errors of logging: no handler, filter or record factory of an application decides what becomes of a job."""

import logging
from functools import partial
from typing import Any

LOGGERS = (
    "arq.worker.jobs", "jobs.exceptions", "jobs.notifications", "jobs.otel", "jobs.subscription", "jobs.workflows",
    "jobs.wrong_type",
)  # fmt: skip
_Plain: Any = logging.LogRecord
_teller = logging.Handler()
_told: set[type[Exception]] = set()


def keep_in_logging() -> None:
    """From now on no line of ours raises. The first error of each type goes to stderr, as with logging's own handlers.
    The fields of a line replace those of the same name that a factory has set.
    """
    for logger in map(logging.getLogger, LOGGERS):
        logger.makeRecord = partial(_made, logger)  # type: ignore[method-assign]
        logger.handle = partial(_handled, logger)  # type: ignore[method-assign]


def _made(logger: logging.Logger, *said: Any) -> logging.LogRecord:
    make: Any = type(logger).makeRecord
    *first, fields, stack = said
    try:
        record: logging.LogRecord = make(logger, *first, None, stack)
    except Exception as error:
        record = _Plain(*first, stack)
        _tell(error, record)
    vars(record).update(fields or {})
    return record


def _handled(logger: logging.Logger, record: logging.LogRecord) -> None:
    try:
        type(logger).handle(logger, record)
    except Exception as error:
        _tell(error, record)


def _tell(error: Exception, record: logging.LogRecord) -> None:
    if type(error) not in _told:
        _told.add(type(error))
        _teller.handleError(record)
