"""Virtual time for the workers of a test: what is due in a month runs within a second."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..errors import QuarqError, WrongValue
from ..store.stored_values import moment_of
from ..values import checks
from ..values.must_await import all_awaited
from .running_workers import Workers


@all_awaited
class Clock:
    """The clock of the workers of a test. It goes at the speed of a real clock, and can be moved.

    Leases, time limits, the lifetimes of results and `Result.get(timeout=)` stay real.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.on_move: Callable[[datetime], Any] | None = None
        """Called with each new time, before anything runs then: for a mocked `datetime.now()` that follows."""
        self.most_steps = 1_000
        """At how many moments of one move jobs and schedules may be due."""

    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return moment_of(self._workers.now_ms)

    async def advance(self, by: timedelta | None = None, /, **units: float) -> None:
        """Move on *by* a timedelta, or by what makes one, such as `days=30`: see `move_to`. A worker must run."""
        await self._workers.until_idle()
        await self.move_to(self.now() + (timedelta(**units) if by is None else by))

    async def move_to(self, moment: datetime) -> None:
        """Let time pass until *moment*: all that is due by then runs, each at its own moment, and has ended.

        Before a worker runs it says at which time the first one starts, which may be in the past.
        WrongValue: the moment has passed. QuarqError: a job still runs after `jobs_worker.patience_s` real seconds, or
        more than `most_steps` moments are due.
        """
        target_ms = checks.moment("moment", moment).timestamp() * 1000
        if not self._workers.running:
            return await self._workers.set_clock(target_ms, self.on_move)
        if target_ms < self._workers.now_ms - 1_000:
            raise WrongValue(f"moment={moment}: it is {self.now()} already, and time goes forward while a worker runs")
        for _ in range(self.most_steps + 1):
            next_ms = await self._workers.until_idle()
            await self._workers.set_clock(min(next_ms, target_ms), self.on_move)
            if next_ms > target_ms:
                await self._workers.until_idle()
                return None
        raise QuarqError(
            f"after {self.most_steps} moments with something due it is {self.now()}, not {moment}: move less at "
            "a time, leave out a schedule that is due often, or raise `jobs_clock.most_steps`"
        )
