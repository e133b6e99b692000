"""Virtual time for the workers of a test: what is due in a month runs within a second."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ...errors import QuarqError, WrongValue
from ...store.keys import LAST_MS
from ...store.stored_values import moment_of
from ...values import checks
from ...values.calls import all_awaited
from .running_workers import Workers


@all_awaited
class Clock:
    """The clock of the workers of a test. It goes at the speed of a real clock, and can be moved.
    Leases, time limits, the lifetimes of results and `Result.get(timeout=)` stay real."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.on_move: Callable[[datetime], Any] | None = None
        """Called, and awaited, with each new time, before anything runs then: for a mocked `datetime.now()`."""
        self.most_steps = 1_000
        """At how many moments of one move jobs may run."""

    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return moment_of(self._workers.now_ms)

    async def advance(self, by: timedelta = timedelta(0), /, **units: float) -> None:
        """Move on *by* a timedelta, by what makes one, such as `days=30`, or by both: see `move_to`. A worker must run.

        The real time that this takes comes on top, so that `hours=5` has room for 5 retries, an hour after each other.
        """
        in_units = timedelta(**{unit: checks.number(unit, n, least=-1e15) for unit, n in units.items()})
        span = checks.span("by", checks.span("by", by) + in_units)
        await self._workers.until_idle()
        await self._go(self._workers.now_ms + span / timedelta(milliseconds=1), f"by={span}", 1_000)

    async def move_to(self, moment: datetime) -> None:
        """Let time pass until *moment*: all that is due by then runs, each at its own moment, and has ended.

        Before the first worker it says when that starts, in the past too. Without a zone it is local time, as `eta=`.
        WrongValue: the moment has passed, or is not from 1970 to 9999. QuarqError: a job still runs after
        `jobs_worker.patience_s` real seconds, or something ran at more than `most_steps` moments.
        """
        await self._go(checks.moment("moment", moment).timestamp() * 1000, f"moment={moment}")

    async def _go(self, target_ms: float, asked: str, ms_a_real_second: int = 0) -> None:
        """The target itself moves on by *ms_a_real_second*."""
        workers, began = self._workers, time.monotonic()
        if not (workers.now_ms - 1_000 if workers.began else 0) <= target_ms <= LAST_MS:
            raise WrongValue(
                f"{asked}: it is {self.now()}. Give a moment from 1970 to 9999, and a later one once a worker of the "
                "test has run: schedules and rate limits remember when they did"
            )
        if not workers.running:
            return await workers.set_clock(target_ms, self.on_move)
        moments, ended, due = 0, workers.ended, list[str]()
        while True:
            next_ms = await workers.until_idle()
            moments, ended = moments + (workers.ended > ended), workers.ended
            if moments > self.most_steps:
                raise QuarqError(
                    f"jobs have run at {self.most_steps} moments, and it is only {self.now()}; due at the last: "
                    f"{await workers.named(due)}. Move less at a time, or raise `jobs_clock.most_steps`"
                )
            limit_ms, due = target_ms + (time.monotonic() - began) * ms_a_real_second, workers.next_due
            await workers.set_clock(min(next_ms, limit_ms), self.on_move)
            if next_ms > limit_ms:
                await workers.until_idle()
                return None
