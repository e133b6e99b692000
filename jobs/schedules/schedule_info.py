"""What Redis knows of one schedule, as people see it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ScheduleInfo:
    """One schedule. Times are in UTC, by Redis' clock; None: never."""

    name: str
    task: str
    workflow: str
    """What it calls, if that is no single task: `chain of 2: shop.report → shop.mail`."""
    when: str
    """When it is due, as declared: `0 10 * * 6 (m/h/dM/MY/d) Europe/Berlin`, `every 0:00:30`."""
    queue: str
    paused: bool
    next_run: datetime | None
    """One in the past: no worker has this schedule any more, or none runs."""
    coming: tuple[datetime, ...]
    """The next five, as a worker stored them when it started or fired; none has passed."""
    last_run: datetime | None
    last_id: str
    """The job of the last run: `Result(info.last_id)`. It ends as results do."""
    skipped: int
    """How many moments were passed over: paused, or found too late."""
    last_skipped: datetime | None
    gone: bool
    """No worker has it: it is no longer in the code, or none that has it runs."""
    seen: datetime | None
    """When a worker last declared it, a minute old at most."""
    declared: bool
    """By workers, in their cron_jobs. If not, it was put into Redis, and any worker fires it."""
    overlap: str
    """Of a stored one: skip, queue, cancel, or '' for both at once."""
    jitter_s: float
    why_skipped: str
    """Of the last one: paused, skipped (too late), or overlaps."""
