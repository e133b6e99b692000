"""What happened to a job in the order of time, with bars for how long each attempt waited and ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..client.job_info import Attempt, JobInfo
from .step_bars import LEAST, Bar, between
from .time_scale import Scale

_LIKE = {"LOST": "FAILURE", "PENDING": "REVOKED"}  # Outcomes of attempts that have the colour of another one.


@dataclass(frozen=True)
class Event:
    """`what`: enqueued, due, retry-due, attempt, put-back (without an attempt: *times* in a row), next or finished."""

    at: datetime
    what: str
    attempt: Attempt | None = None
    times: int = 1
    waited_s: float = 0  # Of an attempt: since it was due, or since the one before.
    ran_s: float | None = None
    bars: tuple[Bar, ...] = ()


def timeline_of(info: JobInfo, at: datetime) -> list[Event]:
    """The events up to now, which is *at*, and the next attempt."""
    attempts = _merged(info.history)
    first = attempts[0][0].started if attempts else None
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


def _merged(history: Sequence[Attempt]) -> list[tuple[Attempt, int, datetime | None]]:
    """Each attempt, how many times it came in a row, and when the last one ended: a job may be put back for an hour."""
    found: list[tuple[Attempt, int, datetime | None]] = []
    for attempt in history:
        if found and attempt.outcome == "PENDING" == found[-1][0].outcome and attempt.text == found[-1][0].text:
            found[-1] = (found[-1][0], found[-1][1] + 1, attempt.ended)
        else:
            found.append((attempt, 1, attempt.ended))
    return found


def _attempts(attempts: Sequence[tuple[Attempt, int, datetime | None]], ready: datetime, end: datetime) -> list[Event]:
    events, since = list[Event](), ready
    scale = Scale(ready, max([end, *(ended for _, _, ended in attempts if ended)]), ready)
    for attempt, times, ended in attempts:
        colour = _LIKE.get(attempt.outcome, attempt.outcome)
        waited = between(scale, since, attempt.started, "wait")
        bars = waited, between(scale, attempt.started, ended or end, f"of-{colour}", LEAST)
        waited_s = max((attempt.started - since).total_seconds(), 0)
        ran_s = (ended - attempt.started).total_seconds() if ended else None
        what = "put-back" if attempt.outcome == "PENDING" else "attempt"
        events.append(Event(attempt.started, what, attempt, times, waited_s, ran_s, bars))
        since = ended or end
    return events
