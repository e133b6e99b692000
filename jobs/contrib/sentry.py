"""Sentry: one event for each job that failed, sent when that is final and recorded.

A worker runs its jobs by this if `sentry_sdk` is imported when its `on_startup` has ended; `sentry_sdk.init()` may come
later. Each run has an isolation scope of its own, so that breadcrumbs, tags and users of one job do not reach the next.
"""

from __future__ import annotations

import re
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
from sentry_sdk.utils import current_stacktrace, event_from_exception, iter_event_frames

from ..tasks import masking
from ..tasks.current import CurrentJob, Request
from ..values.untrusted_text import printable
from ..worker.execution.claimed_job import FAILURE, Outcome
from ..worker.execution.held_job import HeldJob
from ..worker.execution.runner import Runner
from ..worker.process_end import REPORTS_S

WORKER_LOG: Final = "arq.worker.jobs"
MECHANISM: Final = "quarq"
SHOWN_CHARS: Final = 1_000
"""Characters of the arguments, which are masked as in logs."""
FILTERED: Final = "[Filtered]"
SHORTEST, LOOKED_FOR = 4, 32
"""Characters of a hidden argument by which a variable is known to contain it: a shorter one is in too many texts."""
_OWN: Final = {__name__.split(".", maxsplit=1)[0], "arq", "pebble"}
"""Their frames hold calls as they came, and not what the application made of them."""
_NAMED: Final = re.compile(r"""\b([\w-]{1,80})['"]?\s?[=:]""")
"""A name with its value inside a text: `password='x'`, `"token": 1`."""
_UNQUOTED: Final = re.compile(r"""[^'"\\\x00-\x1f\x7f]+""")
"""What is the same in every `repr` of a text."""

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
        _hide_variables(event, self)
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
        return frozenset(_hidden([list(self.args), dict(self.kwargs)], [args, kwargs]))


def _is_of_arq(event: Any) -> bool:
    values = event.get("exception", {}).get("values", ())
    return any(value.get("mechanism", {}).get("type") == "arq" for value in values)


def _hide_variables(event: Any, run: _Run | None) -> None:
    """Those of our own frames, and secrets in those of the application: by name, and by what a hidden argument is."""
    frames = list(iter_event_frames(event))
    try:
        hidden = frozenset[str]() if run is None else run.hidden
        for frame in frames:
            own = str(frame.get("module") or "").split(".", maxsplit=1)[0] in _OWN
            if own or not isinstance(frame.get("vars"), dict):
                frame.pop("vars", None)
            else:
                frame["vars"] = _shown(frame["vars"], hidden)
    except Exception:  # Sentry would send the event as it is
        for frame in frames:
            frame.pop("vars", None)


def _shown(value: Any, hidden: frozenset[str]) -> Any:
    """What Sentry has made of a variable, without secrets."""
    if isinstance(value, dict):
        return {
            name: FILTERED if masking.is_secret(str(name)) else _shown(inner, hidden) for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(inner, hidden) for inner in value]
    if not isinstance(value, str):
        return value
    names = (found[1] for found in _NAMED.finditer(value))
    return FILTERED if any(text in value for text in hidden) or any(map(masking.is_secret, names)) else value


def _hidden(value: Any, seen: Any) -> Iterator[str]:
    """Texts of what is in *value*, and not in what *seen* shows of it."""
    if isinstance(seen, str) and seen == masking.HIDDEN:
        yield from _texts(value)
    elif isinstance(value, dict) and isinstance(seen, dict):
        for name in value.keys() & seen.keys():
            yield from _hidden(value[name], seen[name])
    elif isinstance(value, list | tuple) and isinstance(seen, list | tuple):
        for inner, shown in zip(value, seen, strict=False):
            yield from _hidden(inner, shown)
    elif isinstance(value, Request) and isinstance(seen, Request):
        yield from _hidden([value.args, value.kwargs], [seen.args, seen.kwargs])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)
        return
    parts = _UNQUOTED.findall(value if isinstance(value, str) else str(value))
    longest = max(parts, key=len, default="")[:LOOKED_FOR]
    if len(longest) >= SHORTEST and value not in (None, True, False):
        yield longest


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
    _hide_variables(event, _run.get(None))
    return event


# Before that of Sentry's Dedupe: it would remember the exception, and drop the event of `report`.
global_event_processors.insert(0, _without_the_line_of_a_failure)
# After all global ones: one that Sentry switches on by itself adds variables.
sentry_sdk.get_global_scope().add_event_processor(_without_secrets)
# At the normal end of a worker, whatever integrations are on; a process of jobs ends so when its worker stops it.
Finalize(None, partial(sentry_sdk.flush, timeout=REPORTS_S), exitpriority=1)
