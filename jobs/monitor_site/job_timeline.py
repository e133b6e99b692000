"""What happened to a job in the order of time, with bars for how long each attempt waited and ran."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..client.job_info import Attempt, JobInfo
from .step_bars import LEAST, Bar, between
from .time_scale import Scale

_LIKE = {"LOST": "FAILURE", "PENDING": "REVOKED"}  # Outcomes of attempts that have the colour of another one.


@dataclass(frozen=True)
class Event:
    """`what`: enqueued, due, retry-due, attempt, put-back, next or finished.

    `put-back`: workers were stopped, or do not know its task, and put it back, which is no attempt: *times* in a row
    for the same reason, first *at* this time, and last at *until*; *by*: each worker, and how often."""

    at: datetime
    what: str
    attempt: Attempt | None = None
    times: int = 1
    waited_s: float = 0  # Of an attempt: since it was due, or since the one before.
    ran_s: float | None = None
    bars: tuple[Bar, ...] = ()
    until: datetime | None = None
    by: Mapping[str, int] = field(default_factory=dict)


def timeline_of(info: JobInfo, at: datetime, is_suspended: bool = False) -> list[Event]:
    """The events up to now, which is *at*, and the next attempt. Nothing runs of a job that is suspended."""
    attempts = _merged([one for one in info.history if not (is_suspended and one.outcome == "STARTED")])
    first = info.history[0].started if attempts else None
    events = [Event(info.enqueued, "enqueued")] if info.enqueued else []
    due = info.due if info.due != info.enqueued else None
    if due and info.state == "RETRY":
        events.append(Event(due, "next"))
    elif due:
        events.append(Event(due, "retry-due" if first and due > first else "due"))
    called = [one for one in (info.enqueued, due if not first or (due and due <= first) else None) if one]
    ready = max(called, default=first or at)
    events += _attempts(attempts, min(ready, first or ready), info.finished or at)
    if info.finished:
        events.append(Event(info.finished, "finished"))
    return sorted(events, key=lambda event: event.at)


def _merged(history: Sequence[Attempt]) -> list[list[Attempt]]:
    """Attempts in the order of time, put-backs in a row for one reason together: a job may be put back for an hour."""
    found: list[list[Attempt]] = []
    for attempt in history:
        if found and attempt.outcome == "PENDING" == found[-1][0].outcome and attempt.text == found[-1][0].text:
            found[-1].append(attempt)
        else:
            found.append([attempt])
    return found


def _attempts(attempts: Sequence[Sequence[Attempt]], ready: datetime, end: datetime) -> list[Event]:
    events, since = list[Event](), ready
    scale = Scale(ready, max([end, *(run.ended for runs in attempts for run in runs if run.ended)]), ready)
    for first, *others in attempts:
        last = others[-1] if others else first
        colour = _LIKE.get(first.outcome, first.outcome)
        waited = between(scale, since, first.started, "wait")
        bars = waited, between(scale, first.started, last.ended or end, f"of-{colour}", LEAST)
        waited_s = max((first.started - since).total_seconds(), 0)
        ran_s = (first.ended - first.started).total_seconds() if first.ended and not others else None
        event = Event(first.started, "attempt", first, 1, waited_s, ran_s, bars)
        if first.outcome == "PENDING":
            by = Counter(run.worker for run in (first, *others))
            times, until = 1 + len(others), last.ended or last.started
            at = first.ended or first.started
            event = Event(at, "put-back", first, times, waited_s, ran_s, bars, until, by)
        events.append(event)
        since = last.ended or end
    return events
