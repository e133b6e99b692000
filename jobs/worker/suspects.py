"""What a worker does not start yet, so that a job that kills workers stops the others only for a short time."""

import asyncio
import contextlib
import math
import time

from ..client.connection import JobsRedis
from ..errors import QueueUnavailable
from .execution.claimed_job import HeldJob, Outcome
from .execution.runner import stopped
from .execution.slots import Slots

FIRST_JOBS = 8  # Jobs that a new worker runs at a time until the first of them has ended.
SETTLED_S = 2.0  # How long it waits for that; the engine counts it from when it begins to claim.
DRAIN_S = 3.0  # How long a job on its last chance waits for the other jobs of its worker to end.
ALONE_S = 5.0  # How long it then runs before others start.


class Caution:
    """Three rules, see docs/decisions/0012:

    - A new worker starts few jobs, and no suspect, until the first has ended: before a job kills it, another has ended.
    - Of the suspects, jobs whose worker died with them, it runs one at a time.
    - A suspect that was the only one when its worker died is on its last chance: it starts when nothing else runs, and
      for a while nothing else starts.
    """

    def __init__(self, redis: JobsRedis, slots: Slots) -> None:
        self._redis = redis
        self._slots = slots
        self._suspects: set[HeldJob] = set()  # Their code has not ended.
        self._unrecorded: set[HeldJob] = set()  # Their outcome is not in Redis: a death now counts as their doing.
        self._last_chance: HeldJob | None = None
        self._opens = 0.0  # From this monotonic moment on others may start while the job on its last chance runs.
        self._is_alone = False
        self._settled = False

    @property
    def jobs_allowed(self) -> int:
        last = self._last_chance
        if last is not None and _is_busy(last) and time.monotonic() < self._opens:
            return 0
        free = self._slots.free
        return free if self._settled else min(free, max(FIRST_JOBS - self._slots.used, 0))

    @property
    def suspects_allowed(self) -> int:
        """One suspect at a time; one that waits for other jobs may be waiting for a suspect."""
        busy = any(map(_is_busy, self._suspects | self._unrecorded))
        return 0 if busy or not self._settled else 1

    def settle(self) -> None:
        """A job has ended here, or no other is due."""
        if not self._settled:
            self._settled = True
            self._slots.nudge()

    def add(self, held: HeldJob) -> None:
        self._suspects.add(held)
        self._unrecorded.add(held)
        if held.job.crashes and not held.job.verdict:
            self._last_chance, self._opens, self._is_alone = held, math.inf, False

    def ended(self, held: HeldJob) -> None:
        """The code of a suspect has ended."""
        self._suspects.discard(held)

    def recorded(self, held: HeldJob) -> None:
        """Its outcome is in Redis, or is another worker's to record."""
        self._unrecorded.discard(held)
        if held is self._last_chance:
            self._last_chance = None
        self._slots.nudge()

    async def until_alone(self, held: HeldJob) -> Outcome | None:
        """Wait until a suspect may start; its outcome if it was stopped meanwhile."""
        if held is not self._last_chance:
            return None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    while self._slots.used > 1:
                        await self._slots.wait_for_change()
            if self._slots.used <= 1:
                await self._note_alone(held, True)
        except asyncio.CancelledError:
            return stopped(held)
        self._opens = time.monotonic() + ALONE_S
        asyncio.get_running_loop().call_later(ALONE_S, self._slots.nudge)
        return None

    async def before_others(self) -> None:
        """Others are claimed and start now: a job on its last chance runs alone no longer."""
        if self._last_chance is not None and self._is_alone:
            await self._note_alone(self._last_chance, False)

    async def _note_alone(self, held: HeldJob, alone: bool) -> None:
        with contextlib.suppress(QueueUnavailable):  # then a death counts as one crash instead of two, or the reverse
            await self._redis.run_script("alone", held.job.id, held.job.token, int(alone))
            self._is_alone = alone


def _is_busy(held: HeldJob) -> bool:
    """Does it run, or has it ended without being recorded? One that waits for other jobs does neither."""
    return held.slot.held or held.outcome is not None
