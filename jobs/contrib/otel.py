"""OpenTelemetry: a span for each call and for each attempt, in one trace, and two metrics.

Names follow the semantic conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/). What a
propagator or an exporter of the application raises is logged, and harms no call and no job.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from arq.worker import Retry as ArqRetry
from arq.worker import RetryJob
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from ..client.middleware import Middleware, OutgoingCall, Run, Send
from ..client.result import Result
from ..errors import Retry
from ..tasks.call_options import inherited
from ..tasks.current import CurrentJob
from ..values.exceptions import traceback_text
from ..values.short_text import said
from ..workflows.members import MemberFailed, Parked, Revoked

logger = logging.getLogger("jobs.otel")

SCOPE: Final = "quarq"
"""The name of the tracer and of the meter, and `messaging.system`."""
MESSAGE_CHARS: Final = 1_000
"""Characters of an exception's text on its span."""
OUTCOMES: Final[dict[type[BaseException], str]] = {
    Retry: "retry",
    Parked: "parked",
    Revoked: "revoked",
    asyncio.CancelledError: "cancelled",
}
"""Exceptions with which an attempt has not failed, and the `jobs.outcome` of each."""


class Tracing(Middleware):
    """A PRODUCER span around each call, a CONSUMER span around each attempt.

    The headers of a call carry the context of its PRODUCER span (W3C: `traceparent`, or as the application's
    propagator writes it), those of members and callbacks that of the attempt which calls them. So a workflow is one
    trace, on any number of workers. An attempt whose worker was killed has no span: nobody could end it.
    """

    workflows = True

    def __init__(self) -> None:
        from opentelemetry import metrics  # old versions of the API have none

        self.provider = trace.get_tracer_provider()
        self._tracer = trace.get_tracer(SCOPE)
        meter = metrics.get_meter(SCOPE)
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Calls that were sent.")
        self._runs = meter.create_histogram("messaging.process.duration", "s", "Duration of each attempt.")

    async def send(self, call: OutgoingCall, call_next: Send) -> Result:
        about = _about("send", call.task)
        with self._tracer.start_as_current_span(f"send {call.task}", kind=SpanKind.PRODUCER, attributes=about) as span:
            _take_along(call.headers)
            result = await call_next(call)
            span.set_attribute("messaging.message.id", result.id)
        self._sent.add(1, about)
        return result

    async def run(self, job: CurrentJob, call_next: Run) -> Any:
        about = _about("process", job.name) | {"messaging.destination.name": job.request.queue}
        more = {"messaging.message.id": job.request.id or "", "jobs.attempt": job.request.attempts}
        began, outcome = time.perf_counter(), "failure"
        with (
            _within_the_callers(job),
            self._tracer.start_as_current_span(
                f"process {job.name}",
                kind=SpanKind.CONSUMER,
                attributes=about | more,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            _take_along(job.headers)
            try:
                value = await call_next(job)
                outcome = "success"
            except BaseException as error:
                outcome = _outcome(span, job, error)
                raise
            finally:
                span.set_attribute("jobs.outcome", outcome)
                self._runs.record(time.perf_counter() - began, about | {"jobs.outcome": outcome})
        return value


def middleware() -> list[Middleware]:
    """Tracing, once the application has set a tracer provider."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return []
    if not _made or _made[0].provider is not provider:
        _made[:] = [Tracing()]
    return [*_made]


_made: list[Tracing] = []


def _about(operation: str, task: str) -> dict[str, Any]:
    return {
        "messaging.system": SCOPE,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "jobs.task": task,
    }


def _outcome(span: Span, job: CurrentJob, error: BaseException) -> str:
    """Note on the span how the attempt ended. A member's failure is on the span of the member."""
    if job.suspended:
        return "suspended"
    known = next((word for kind, word in OUTCOMES.items() if isinstance(error, kind)), "")
    if not known and _is_retried(job, error):
        known = "retry"
    if isinstance(error, MemberFailed):
        span.set_status(StatusCode.ERROR, "a member failed")
        return "failure"
    cause = error.exc if isinstance(error, Retry) else error
    if cause is not None and known in ("", "retry"):
        kind = type(cause).__qualname__
        about = {"exception.type": kind, "exception.message": said(cause, MESSAGE_CHARS)}
        span.add_event("exception", about | {"exception.stacktrace": traceback_text(cause)})
        span.set_status(StatusCode.ERROR, kind)
        span.set_attribute("error.type", kind)
    return known or "failure"


def _is_retried(job: CurrentJob, error: BaseException) -> bool:
    """Is it one of `autoretry_for=`, or arq's way to ask for a retry, and is a retry left?"""
    options = job.task.options
    if options.max_retries is not None and job.request.retries >= options.max_retries:
        return False
    return isinstance(error, ArqRetry | RetryJob) or options.retries_by_itself(error)


def _take_along(headers: dict[str, str]) -> None:
    """Write the current context into the headers, if there is room for it."""
    carrier: dict[str, str] = {}
    try:
        propagate.inject(carrier)
    except Exception:
        logger.warning("the trace is cut here: its propagator failed", exc_info=True)
    headers.update(inherited(carrier, {name: text for name, text in headers.items() if name not in carrier}))


@contextmanager
def _within_the_callers(job: CurrentJob) -> Iterator[None]:
    """Make the caller's context the current one: its baggage too."""
    token = None
    try:
        token = context.attach(propagate.extract(job.request.headers))
    except Exception:
        logger.warning("job %s: its trace begins here: the propagator failed", job.request.id, exc_info=True)
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)
