"""The two lines that each job writes, in arq's words and glyphs."""

from __future__ import annotations

import logging
import time
from typing import Any

from jobs.worker.claimed import PARKED, PENDING, RETRY, REVOKED, SUCCESS, CallData, Claimed, Outcome

logger = logging.getLogger("arq.worker")

SHOWN = 80
"""Characters of arguments or results that a line shows."""


def received(job: Claimed, call: CallData) -> None:
    """→ it starts."""
    if not logger.isEnabledFor(logging.INFO):
        return
    shown = ", ".join([*map(repr, call.args), *(f"{key}={value!r}" for key, value in call.kwargs.items())])
    extra = f" try={job.attempts}" if job.attempts > 1 else ""
    late_s = (job.received - job.due) / 1000 if job.due else 0
    if late_s > 1.2:
        extra += f" delayed={late_s:.2f}s"
    waited_s = (job.received - (job.enqueued or job.received)) / 1000
    logger.info("%6.2fs → %s:%s(%s)%s", waited_s, job.id, call.task, _cut(shown), extra)


def ended(job: Claimed, call: CallData, outcome: Outcome, run_s: float, log_results: bool) -> None:
    """← it returned, ! it failed, ↻ it will run again, ⊘ it was stopped."""
    ref = f"{job.id}:{call.task}"
    if outcome.state == SUCCESS:
        if logger.isEnabledFor(logging.INFO):
            shown = "" if outcome.value is None or not log_results else _shown(outcome.value)
            logger.info("%6.2fs ← %s ● %s", run_s, ref, shown)
    elif outcome.state == RETRY and outcome.why == "cancelled":
        logger.info("%6.2fs ↻ %s cancelled, will be run again", run_s, ref)
    elif outcome.state == RETRY:
        logger.info("%6.2fs ↻ %s retrying job in %0.2fs", run_s, ref, outcome.delay_s)
    elif outcome.state == PARKED:
        logger.info("%6.2fs ↻ %s waits for its members", run_s, ref)
    elif outcome.state == PENDING:
        logger.info("%6.2fs ↻ %s cancelled, will be run again", run_s, ref)
    elif outcome.state == REVOKED:
        logger.info("%6.2fs ⊘ %s aborted", run_s, ref)
    else:
        error = outcome.value
        logger.error("%6.2fs ! %s failed, %s: %s", run_s, ref, type(error).__name__, error, exc_info=error)


def refused(job: Claimed, call: CallData, outcome: Outcome) -> None:
    """A job that is not started, and why."""
    late_s = (job.received - (job.enqueued or job.received)) / 1000
    if outcome.state == REVOKED:
        logger.info("%6.2fs ⊘ %s:%s %s before start", late_s, job.id, call.task, outcome.why)
    else:
        logger.warning("%6.2fs ! %s:%s %s", time.monotonic() - job.started, job.id, call.task, outcome.why)


def _shown(value: Any) -> str:
    try:
        return _cut(repr(value))
    except Exception as error:
        return f"<a result whose repr() raises {type(error).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
