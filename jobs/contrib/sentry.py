"""Sentry: one event for each job that failed, sent when that is final and recorded.

A worker runs its jobs by this if `sentry_sdk` is imported when its `on_startup` has ended; `sentry_sdk.init()` may come
later. Each run has an isolation scope of its own, so that breadcrumbs, tags and users of one job do not reach the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cached_property, partial
from multiprocessing.util import Finalize
from typing import Any, Final

import sentry_sdk
from sentry_sdk.scope import global_event_processors
from sentry_sdk.utils import current_stacktrace, event_from_exception

from ..tasks import masking
from ..tasks.current import CurrentJob
from ..values.untrusted_text import printable
from ..worker.execution.claimed_job import FAILURE, HeldJob, Outcome
from ..worker.execution.runner import Runner
from ..worker.process import REPORTS_S
from .sentry_variables import hidden_texts, hide_variables

WORKER_LOG: Final = "arq.worker.jobs"
MECHANISM: Final = "quarq"
SHOWN_CHARS: Final = 1_000
"""Characters of the arguments, which are masked as in logs."""

_run: ContextVar[_Run] = ContextVar("jobs_sentry_run")


class ReportingRunner(Runner):
    """Runs jobs as Runner does, each in a scope of its own; `report` makes the event of a failure."""

    async def run(self, held: HeldJob) -> Outcome:
        if not sentry_sdk.get_client().is_active():
            return await super().run(held)
        if not held.announced:
            self.announce(held)
        job, call = held.job, held.call
        function = self.functions.get(call.task)
        secrets = masking.NOTHING if function is None else function.secrets
        run = _Run(call.task, job.id, job.attempts, job.retries, job.queue, call.args, call.kwargs, secrets)
        with run.scope():
            try:
                return await super().run(held)
            finally:
                held.context = copy_context()

    def report(self, held: HeldJob, outcome: Outcome) -> None:
        """Send the failure, unless code inside the job has sent that very exception."""
        error = outcome.value
        was_sent = held.current is not None and held.current.reported is error  # by its own process
        if held.context is not None and isinstance(error, BaseException) and not was_sent:
            held.context.run(_capture, error)


@contextmanager
def in_process(job: CurrentJob) -> Iterator[Callable[[BaseException], bool]]:
    """A run in a process of its own: tells of an exception if it was sent there."""
    if not sentry_sdk.get_client().is_active():
        yield lambda error: False
        return
    request, options = job.request, job.task.options
    run = _Run(
        *(job.name, str(request.id), request.attempts, request.retries, request.queue, request.args, request.kwargs),
        masking.secrets_of(job.task.function, bound=options.bind),
    )
    with run.scope():
        yield run.has_sent


@dataclass(eq=False)
class _Run:
    """One run of a job: what its events say, and which exceptions they were about."""

    task: str
    job_id: str
    attempt: int
    retries: int
    queue: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    secrets: masking.Secrets
    _sent: deque[BaseException] = field(default_factory=lambda: deque(maxlen=10))

    @contextmanager
    def scope(self) -> Iterator[None]:
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            scope.set_transaction_name(self.task, source="task")
            sentry_sdk.get_current_scope().add_event_processor(self.process)  # after those of the isolation scope
            before = _run.set(self)
            try:
                yield
            finally:
                _run.reset(before)

    def has_sent(self, error: BaseException) -> bool:
        return any(one is error for one in self._sent)

    def process(self, event: Any, hint: Any) -> Any:
        """Every event that is made inside the job, by whatever code."""
        if event.get("type") == "check_in":
            return event
        tags = {"task": self.task, "job_id": self.job_id, "attempt": self.attempt, "queue": self.queue}
        event["tags"] = tags | event.get("tags", {})
        if event.get("type") == "transaction":
            return event
        exc_info = hint.get("exc_info")
        if exc_info and exc_info[1] is not None:
            if _is_of_arq(event) and self.has_sent(exc_info[1]):
                return None  # a function that Sentry's integration has wrapped twice
            self._sent.append(exc_info[1])
        event.get("extra", {}).pop("arq-job", None)  # its arguments are not masked
        hide_variables(event, lambda: self.hidden)
        event.setdefault("contexts", {})["job"] = self._about()
        return event

    def _about(self) -> dict[str, Any]:
        seen = masking.masked(self.task, self.args, self.kwargs, most=SHOWN_CHARS, secrets=self.secrets)
        return {
            "task": self.task,
            "job_id": self.job_id,
            "attempt": self.attempt,
            "retries": self.retries,
            "queue": self.queue,
            "arguments": printable(masking.call_text(*seen, SHOWN_CHARS)),
        }

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Texts by which the hidden arguments are known wherever they are."""
        args, kwargs = masking.masked(self.task, self.args, self.kwargs, secrets=self.secrets)
        return frozenset(hidden_texts([list(self.args), dict(self.kwargs)], [args, kwargs]))


def _is_of_arq(event: Any) -> bool:
    values = event.get("exception", {}).get("values", ())
    return any(value.get("mechanism", {}).get("type") == "arq" for value in values)


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


def _without_secrets(event: Any, hint: Any) -> Any:
    """Of events outside of jobs too. The stack that `attach_stacktrace` asks for is made here: Sentry makes it last."""
    __tracebackhide__ = True
    if event.get("type") in ("transaction", "check_in"):
        return event
    options = sentry_sdk.get_client().options
    if options["attach_stacktrace"] and not {"exception", "stacktrace", "threads"} & event.keys():
        stack = current_stacktrace(options["include_local_variables"], max_value_length=options["max_value_length"])
        event["threads"] = {"values": [{"stacktrace": stack, "crashed": False, "current": True}]}
    run = _run.get(None)
    hide_variables(event, lambda: run.hidden if run is not None else frozenset())
    return event


# Before that of Sentry's Dedupe: it would remember the exception, and drop the event of `report`.
global_event_processors.insert(0, _without_the_line_of_a_failure)
# After all global ones: one that Sentry switches on by itself adds variables.
sentry_sdk.get_global_scope().add_event_processor(_without_secrets)
# At the normal end of a worker, whatever integrations are on; a process of jobs ends so when its worker stops it.
Finalize(None, partial(sentry_sdk.flush, timeout=REPORTS_S), exitpriority=1)
