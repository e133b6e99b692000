"""The format of figures and times on the monitor's pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from ..values.short_text import cut, duration_text
from . import edited_arguments, model, tracebacks
from .estimates import about_text
from .forecasting import rate
from .routes import blueprint
from .schedule_words import in_words
from .viewers import reader_zone
from .web import moments

LONGEST_VALUE = 2_000
LONGEST_JSON = 10_000
UTC_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\b", re.ASCII)

HELD_BACK = {
    "concurrency-limit": ("concurrency limit", "warn"),
    "rate-limit": ("rate limit", "warn"),
    "paused": ("queue paused", "warn"),
    "no-worker": ("no worker for its queue", "bad"),
    "unknown-task": ("no worker has this task", "bad"),
    "suspect": ("worker lost, runs again alone", "bad"),
    "suspended": ("suspended", "off"),
    "expired": ("expired", "off"),
    "stopping": ("stopping", "warn"),
    "busy": ("all slots busy", "off"),
}
"""The word and the colour of each code of `model.Reason` that the state of a job does not say by itself."""


@blueprint.app_template_filter()
def held_back(code: str) -> tuple[str, str] | None:
    """Why a job does not run, and its colour; None if its state says all."""
    return HELD_BACK.get(code)


@blueprint.app_template_filter()
def state_word(state: str) -> str:
    """A state; in words, that of a step of a workflow that was not called."""
    return {"": "not started", "SKIPPED": "skipped", "UNREAD": "not looked at"}.get(state, state)


@blueprint.app_template_filter()
def span(seconds: float | None) -> str:
    """`12 ms`, `3.2 s`, `5 min`, `2 h`, `4 d`; `–` for None."""
    return "–" if seconds is None else duration_text(seconds)


@blueprint.app_template_filter()
def about(seconds: float | None) -> str:
    """`~12 ms`, of a percentile: it is an estimate, see Count.percentile."""
    return "–" if seconds is None else about_text(seconds)


@blueprint.app_template_filter()
def figure(n: float | None) -> str:
    """`12,345`; `–` for None."""
    return "–" if n is None else f"{n:,.1f}" if isinstance(n, float) else f"{n:,}"


@blueprint.app_template_filter()
def a_minute(n: float | None) -> str:
    """`40/s`, `12/min`, of jobs a minute; `–` for None."""
    return "–" if n is None else "0" if not n else rate(n)


@blueprint.app_template_filter()
def cell(n: float | None) -> str:
    """`figure` for charts: no commas, at most three decimals."""
    return "–" if n is None else f"{n:.3f}".rstrip("0").rstrip(".") if isinstance(n, float) else str(n)


@blueprint.app_template_filter()
def share(n: float | None) -> str:
    """`12.5 %`; `–` for None."""
    return "–" if n is None else f"{n * 100:.1f} %"


@blueprint.app_template_filter()
def memory(size: float) -> str:
    """A size in bytes as `3.4 MB`, in powers of 1,024."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TB"


@blueprint.app_template_filter()
def clock(at: datetime) -> str:
    """`26 Nov 07:30:12` in the reader's zone, with the year unless it is the current one."""
    local = moments.local(at, reader_zone())
    year = "" if local.year == datetime.now(UTC).year else f" {local.year}"
    return f"{local:%-d %b}{year} {local:%H:%M:%S}"


@blueprint.app_template_filter()
def clock_after(at: datetime, before: datetime) -> str:
    """`clock`, without the day if that is the one of the time *before* it."""
    earlier, day, time = moments.local(before, reader_zone()), *clock(at).rsplit(" ", 1)
    return time if moments.local(at, reader_zone()).date() == earlier.date() else f"{day} {time}"


@blueprint.app_template_filter()
def when_in_words(when: str) -> str:
    """When a schedule is due."""
    return in_words(when)


@blueprint.app_template_filter()
def brief(at: datetime) -> str:
    """`07:30:12` today, `26 Nov 07:30` on another day, `26 Nov 2025` in another year; in the reader's zone."""
    local, today = moments.local(at, reader_zone()), moments.local(datetime.now(UTC), reader_zone())
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%-d %b %H:%M}" if local.year == today.year else f"{local:%-d %b %Y}"


@blueprint.app_template_filter()
def since(at: datetime) -> str:
    """How long ago, in whole units, as the browser counts on: `12 s`, `5 min`."""
    seconds = max((datetime.now(UTC) - at).total_seconds(), 0)
    return f"{int(seconds)} s" if seconds < 120 else duration_text(seconds)


@blueprint.app_template_filter()
def for_field(at: datetime) -> str:
    """The value of a date-time field in the reader's zone."""
    return moments.for_field(at, reader_zone())


@blueprint.app_template_filter()
def shown(value: object) -> str:
    """The repr of an argument, shortened. Never raises, even if its repr() does."""
    return model.text(value, LONGEST_VALUE)


@blueprint.app_template_filter()
def spelled(at: datetime) -> str:
    """`Tuesday, 1 December 2026, 10:30 (Europe/Berlin)` in the reader's zone."""
    return moments.spelled(at, reader_zone())


@blueprint.app_template_filter()
def distance(at: datetime) -> str:
    """`in 3 hours`, `10 minutes ago`."""
    return moments.distance(at, datetime.now(UTC))


@blueprint.app_template_filter()
def traceback_parts(text: str) -> list[tracebacks.Part]:
    return tracebacks.parts_of(text)


@blueprint.app_template_filter()
def bars(counts: Sequence[int], width: int, height: int) -> str:
    """The path of a bar for each count in a box of this size, none for 0, and of at least one unit else."""
    each, most = width / max(len(counts), 1), max(counts, default=0)
    high = [n and max(height * n / most, 1) for n in counts]
    return "".join(
        f"M{place * each:.5g} {height}v-{up:.4g}h{each * 0.8:.4g}v{up:.4g}z" for place, up in enumerate(high) if up
    )


@blueprint.app_template_filter()
def as_json(value: object) -> str:
    """An argument as indented JSON, cut."""
    return cut(edited_arguments.as_json(value), LONGEST_JSON)


@blueprint.app_template_filter()
def in_zone(text: str) -> str:
    """The times of a text, which are in UTC, in the reader's zone."""
    return UTC_TIME.sub(lambda time: f"{clock(datetime.fromisoformat(time[1] + '+00:00'))} ({reader_zone().key})", text)
