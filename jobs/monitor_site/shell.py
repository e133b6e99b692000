"""The frame around every page: the query box, and what the side says of jobs, queues and workers, from one reading."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quart import current_app, url_for

from ..tasks.declarations import known_tasks
from .error_groups import ErrorGroup, errors
from .options import redis
from .query import Term
from .routes import blueprint
from .summary import Overview, overview

FRESH_S = 0.5
"""Live pages that are looked at together share a reading for this long."""
MOST_NAMES = 200


@dataclass(frozen=True)
class Section:
    """A link of the side. `figure` is the key of what is next to it, in words: `hint`."""

    label: str
    endpoint: str
    figure: str = ""
    query: str = ""
    hint: str = ""


SECTIONS = (
    Section("Overview", "overview"),
    Section("Jobs", "jobs"),
    Section("Running", "jobs", "running", "state:running", "running"),
    Section("Failed", "jobs", "failed", "state:failed since:1h", "in the last hour, from a whole minute on"),
    Section("Scheduled", "jobs", "scheduled", "state:scheduled", "scheduled"),
    Section("Approvals", "awaiting", "awaiting", hint="suspended until somebody answers"),
    Section("Errors", "errors", "errors", hint="open"),
    Section("Queues", "queues", "queues", hint="jobs waiting"),
    Section("Workers", "workers", "workers", hint="online"),
    Section("Tasks", "tasks"),
    Section("Versions", "versions"),
    Section("Schedules", "schedules"),
    Section("Workflows", "workflows"),
    Section("Broker", "broker"),
    Section("Audit log", "audit"),
)


@dataclass(frozen=True)
class Figure:
    """What is next to a section, and its colour."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Reading:
    """Figures of one moment: all that a page shows of them is from one reading."""

    at: float
    overview: Overview
    errors: Sequence[ErrorGroup]  # Open ones of the last hour.
    awaiting: int  # Jobs that wait for an event.

    @property
    def figures(self) -> Mapping[str, Figure]:
        now = self.overview
        failed = now.last_hour.states["FAILURE"]
        signs = {"paused": now.paused, "no worker": now.unserved, "unknown task": now.unknown}
        wrong = next((sign for sign, those in signs.items() if those), "")
        return {
            "running": Figure(short(now.queues.running)),
            "failed": Figure(short(failed), "bad" if failed else ""),
            "errors": Figure(short(len(self.errors)), "bad" if self.errors else ""),
            "awaiting": Figure(short(self.awaiting)),
            "scheduled": Figure(short(now.queues.scheduled)),
            "queues": Figure(wrong or short(now.queues.due), "bad" if wrong else ""),
            "workers": Figure(short(now.workers), "" if now.workers else "bad"),
        }


async def reading(fresh_s: float = FRESH_S) -> Reading:
    """The figures as they were at most *fresh_s* ago."""
    kept: Reading | None = current_app.extensions.get("reading")
    if kept is None or time.monotonic() - kept.at > fresh_s:
        kept = Reading(time.monotonic(), await overview(redis()), await errors(redis()), await _awaiting())
        current_app.extensions["reading"] = kept
    return kept


async def _awaiting() -> int:
    return int(await redis().zcard(redis().key.AWAITING))


async def names(now: Reading) -> list[str]:
    """What may be typed to find jobs, for the box to complete."""
    rows = now.overview.rows
    tasks, queues = sorted(await known_tasks(redis())), [row.name for row in rows if row.name]
    workers = sorted({worker for row in rows for worker in row.workers})
    found = [
        ("state", one)
        for one in ("failed", "running", "suspended", "waiting", "scheduled", "held", "retry", "succeeded", "revoked")
    ]
    found += (
        [("task", one) for one in tasks] + [("queue", one) for one in queues] + [("worker", one) for one in workers]
    )
    return [str(Term(name, value)) for name, value in found[:MOST_NAMES]]


def short(n: int) -> str:
    """`999`, `1.2k`, `12M`: it fits next to a section."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n // size}{unit}" if n >= 10 * size else f"{n / size:.1f}{unit}"
    return str(n)


@blueprint.app_template_global()
def sections() -> Sequence[Section]:
    return SECTIONS


@blueprint.app_template_global()
def find_url(line: str = "", **filters: str) -> str:
    """The address of the jobs that a line finds, and these filters."""
    words = [line, *(str(Term(name, value)) for name, value in filters.items() if value)]
    return url_for("monitor.jobs", q=" ".join(filter(None, words)) or None)
