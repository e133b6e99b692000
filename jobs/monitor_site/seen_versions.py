"""Versions of the application's code: when each was seen first, and what became slower or failed more since."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..client.connection import JobsRedis
from ..store.store import now
from ..store.stored_values import moment_of, text
from ..values.short_text import count
from .estimates import about_text
from .model.counters import Count
from .ranges import totals_between

MOST_COMPARED = timedelta(hours=6)
FEW = 5
"""Jobs on one side that are too few to say what became worse: such tasks come last."""


@dataclass(frozen=True)
class Version:
    """What a worker was the first to report, and when. One that comes back later is no new one."""

    name: str
    since: datetime


@dataclass(frozen=True)
class TaskFigures:
    """What a task did in some time."""

    jobs: int  # That succeeded or failed.
    failure_share: float | None
    p50_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, count: Count) -> "TaskFigures":
        jobs = count.states["SUCCESS"] + count.states["FAILURE"]
        return cls(jobs, count.failure_share, count.percentile("run", 50), count.percentile("run", 95))


@dataclass(frozen=True)
class Change:
    """A task before and since a version."""

    task: str
    before: TaskFigures
    after: TaskFigures
    worse: float | None
    """How much worse it became: 1 for a p95 of twice as long, or for 10 of 100 more that fail; below 0: better; None:
    there are too few jobs on one side to say."""

    @property
    def line(self) -> str:
        """All of it, for the command line."""
        both = self.before, self.after
        p95 = " -> ".join("-" if one.p95_s is None else about_text(one.p95_s) for one in both)
        failing = " -> ".join("-" if one.failure_share is None else f"{one.failure_share:.1%}" for one in both)
        return f"{self.task}: p95 {p95}, failing {failing}, {self.before.jobs:,} -> {self.after.jobs:,} jobs"


@dataclass(frozen=True)
class Comparison:
    """Two times of equal length: up to the minute in which the version came, and from the one after it."""

    version: Version
    minutes: int  # How long each is, in whole minutes; 0: the version has come just now.
    begin: datetime  # Of the time before.
    counted_before: (
        int  # In how many minutes workers counted anything: fewer where none ran, or their numbers are gone.
    )
    counted_since: int
    missing: int  # Minutes that are not added up yet: see Totals.
    changes: list[Change]
    """What became worst comes first."""

    @property
    def lines(self) -> list[str]:
        """All of it, for the command line."""
        n, counted = count(self.minutes, "minute"), (self.counted_before, self.counted_since)
        words = f"{n} before and since"
        if counted != (self.minutes, self.minutes):
            words = f"{counted[0]:,} of {n} before and {counted[1]:,} since, the others have no numbers"
        heading = f"{self.version.name}, {words}:"
        return [heading, *(f"  {change.line}" for change in self.changes)]


async def versions(connection: JobsRedis) -> list[Version]:
    """Those that workers reported, the newest first."""
    found = await connection.zrange(connection.key.VERSIONS, 0, -1, desc=True, withscores=True)
    return [Version(text(name), moment_of(ms)) for name, ms in found]


async def compare(connection: JobsRedis, version: str = "", patience_s: float = math.inf) -> Comparison | None:
    """The tasks before and since a version, of the newest one by default; None: no worker reported that one."""
    chosen = [one for one in await versions(connection) if version in ("", one.name)]
    if not chosen:
        return None
    minute, this = (int(at.timestamp()) // 60 for at in (chosen[0].since, await now(connection)))
    n = min(max(this - minute, 0), int(MOST_COMPARED.total_seconds()) // 60)
    begins = minute - n, minute + 1
    before, after = [await totals_between(connection, first, first + n - 1, patience_s) for first in begins]
    earlier, later = [await _counted(connection, range(first, first + n)) for first in begins]
    changes = _changes(before.counts, after.counts)
    begin, missing = moment_of(begins[0] * 60_000), before.missing + after.missing
    return Comparison(chosen[0], n, begin, earlier, later, missing, changes)


async def _counted(connection: JobsRedis, minutes: range) -> int:
    keys = [f"{connection.key.STATS}{minute}" for minute in minutes]
    return int(await connection.exists(*keys)) if keys else 0


def _changes(before: Mapping[str, Count], after: Mapping[str, Count]) -> list[Change]:
    found = []
    for task in sorted(filter(None, {*before, *after})):
        both = TaskFigures.of(before.get(task) or Count()), TaskFigures.of(after.get(task) or Count())
        found.append(Change(task, *both, _worse(*both)))
    return sorted(found, key=lambda change: -math.inf if change.worse is None else change.worse, reverse=True)


def _worse(before: TaskFigures, after: TaskFigures) -> float | None:
    if min(before.jobs, after.jobs) < FEW:
        return None
    slower = after.p95_s / before.p95_s - 1 if before.p95_s and after.p95_s else 0.0
    failing = ((after.failure_share or 0) - (before.failure_share or 0)) * 10
    return max(slower, failing) if max(slower, failing) > 0 else min(slower, failing)
