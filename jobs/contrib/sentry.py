"""Sentry: one event for each job that failed, sent when that is final and recorded.

A worker runs its jobs by this if `sentry_sdk` is imported when its `on_startup` has ended; `sentry_sdk.init()` may come
later. Each run has an isolation scope of its own, so that breadcrumbs, tags and users of one job do not reach the next.
"""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar, copy_context
from typing import Any, Final

import sentry_sdk
from sentry_sdk.scope import global_event_processors
from sentry_sdk.utils import event_from_exception, iter_event_frames

from ..tasks import masking
from ..values.untrusted_text import printable
from ..worker.execution.claimed_job import FAILURE, Outcome
from ..worker.execution.held_job import HeldJob
from ..worker.execution.runner import Runner

WORKER_LOG: Final = "arq.worker.jobs"
MECHANISM: Final = "quarq"
SHOWN_CHARS: Final = 1_000
"""Characters of the arguments, which are masked as in logs."""
FILTERED: Final = "[Filtered]"
_OWN: Final = __name__.split(".", maxsplit=1)[0]

_run: ContextVar[_Run] = ContextVar("jobs_sentry_run")


class ReportingRunner(Runner):
    """Runs jobs as Runner does, each in a scope of its own; `report` makes the event of a failure."""

    async def run(self, held: HeldJob) -> Outcome:
        if not sentry_sdk.get_client().is_active():
            return await super().run(held)
        if not held.announced:
            self.announce(held)
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            run = _Run(held, self)
            _run.set(run)
            sentry_sdk.get_current_scope().add_event_processor(run.process)  # after those of the isolation scope
            job = held.job
            scope.set_transaction_name(held.call.task, source="task")
            scope.set_tags({"task": held.call.task, "job_id": job.id, "attempt": job.attempts, "queue": job.queue})
            try:
                return await super().run(held)
            finally:
                held.context = copy_context()

    def report(self, held: HeldJob, outcome: Outcome) -> None:
        """Send the failure, unless code inside the job has sent that very exception."""
        if held.context is not None and isinstance(outcome.value, BaseException):
            held.context.run(_capture, outcome.value)


class _Run:
    """One run of a job: what its events say, and which exceptions they were about."""

    def __init__(self, held: HeldJob, runner: Runner) -> None:
        self._held = held
        self._runner = runner
        self._sent: deque[BaseException] = deque(maxlen=10)

    def has_sent(self, error: BaseException) -> bool:
        return any(one is error for one in self._sent)

    def process(self, event: Any, hint: Any) -> Any:
        """Every event that is made inside the job, by whatever code."""
        if event.get("type") in ("transaction", "check_in"):
            return event
        exc_info = hint.get("exc_info")
        if exc_info and exc_info[1] is not None:
            if _is_of_arq(event) and self.has_sent(exc_info[1]):
                return None  # a function that Sentry's integration has wrapped twice
            self._sent.append(exc_info[1])
        event.get("extra", {}).pop("arq-job", None)  # its arguments are not masked
        event.setdefault("contexts", {})["job"] = self._about()
        for frame in iter_event_frames(event):
            _hide_secrets(frame)
        return event

    def _about(self) -> dict[str, Any]:
        job, call = self._held.job, self._held.call
        function = self._runner.functions.get(call.task)
        secrets = masking.NOTHING if function is None else function.secrets
        seen = masking.masked(call.task, call.args, call.kwargs, most=SHOWN_CHARS, secrets=secrets)
        arguments = printable(masking.call_text(*seen, SHOWN_CHARS))
        return {
            "task": call.task,
            "job_id": job.id,
            "attempt": job.attempts,
            "retries": job.retries,
            "queue": job.queue,
            "arguments": arguments,
        }


def _is_of_arq(event: Any) -> bool:
    values = event.get("exception", {}).get("values", ())
    return any(value.get("mechanism", {}).get("type") == "arq" for value in values)


def _hide_secrets(frame: Any) -> None:
    """Our own frames hold the call as it came, those of the application what it made of it."""
    own = str(frame.get("module") or "").split(".", maxsplit=1)[0] == _OWN
    if own or not isinstance(frame.get("vars"), dict):
        frame.pop("vars", None)
        return
    for name in filter(masking.is_secret, frame["vars"]):
        frame["vars"][name] = FILTERED


def _capture(error: BaseException) -> None:
    if _run.get().has_sent(error):
        return
    options = sentry_sdk.get_client().options
    event, hint = event_from_exception(error, options, mechanism={"type": MECHANISM, "handled": False})
    sentry_sdk.capture_event(event, hint)


def _without_the_line_of_a_failure(event: Any, hint: Any) -> Any:
    """`report` sends the failure itself, so that it is one event whatever is logged."""
    record = hint.get("log_record")
    is_failure = record is not None and record.name == WORKER_LOG and getattr(record, "state", "") == FAILURE
    return None if is_failure else event


# Before that of Sentry's Dedupe: it would remember the exception, and drop the event of `report`.
global_event_processors.insert(0, _without_the_line_of_a_failure)
