"""Slots: how many jobs run at a time. A job that waits for another gives its slot back meanwhile."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from ...store.cancellation import wait_at_most

R = TypeVar("R")
logger = logging.getLogger("arq.worker.jobs")
LOOK_AT_SLOTS_S = 1  # The recorder may have emptied meanwhile, which wakes nothing.
THREADS = 4  # For each slot: one whose task runs in it; the others wait for jobs, and have given their slots back.


class Slots:
    """*size* slots. A freed one goes first to a job that had given its own back, then to new claims."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.used = 0  # How many jobs run and do not wait for others.
        self.waiting_threads = 0  # How many threads have given their slots back.
        self._returning: deque[asyncio.Future[None]] = deque()
        self._changed = asyncio.Event()
        self._has_warned = False

    @property
    def free(self) -> int:
        """How many jobs may be claimed now."""
        return max(self._size - self.used, 0)

    def may_wait(self) -> bool:
        """May one more thread give its slot back?"""
        if self.waiting_threads < (THREADS - 1) * self._size:
            return True
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%d threads wait for other jobs, more keep their slots", self.waiting_threads)
        return False

    def give_back(self) -> None:
        while self._returning:
            waiter = self._returning.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.used -= 1
        self._changed.set()

    async def take_again(self) -> None:
        """Wait for a slot, before all new claims."""
        if self.used < self._size:
            self.used += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._returning.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back()
            raise

    async def wait_for_change(self) -> None:
        """Wait until a slot was freed, or `nudge` was called; for LOOK_AT_SLOTS_S at most."""
        self._changed.clear()
        await wait_at_most(LOOK_AT_SLOTS_S, self._changed.wait())

    def nudge(self) -> None:
        """Have those who wait for a change look again."""
        self._changed.set()


class Slot:
    """The slot of one job: given back while it waits for other jobs, needed again before any wait returns.

    A job that gathers several results passes through its slot at each return and gives it back while others are still
    out; else one slot and a job with two children would wait for ever.
    """

    _in_thread = False  # Was it the thread of a plain function that waited last?

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.loop = asyncio.get_running_loop()
        self.held = True  # Does the job use its slot now?
        self._ended = False
        self._waits = 0
        self._taking: asyncio.Task[None] | None = None
        slots.used += 1

    async def free_while(self, waiting: Coroutine[Any, Any, R], in_thread: bool = False) -> R:
        """Await *waiting* without a slot. What it raises, a cancellation too, is not held up for one.

        In another loop, such as that of `asyncio.run` in the job's thread, the thread keeps the slot. It also does when
        as many threads wait as there may be.
        """
        if asyncio.get_running_loop() is not self.loop:
            return await waiting
        self._waits += 1
        if self.held:
            self._in_thread = in_thread
        self._give_back()
        try:
            result = await waiting
            await self._take_again()
            return result
        finally:
            self._waits -= 1
            if self._waits:
                asyncio.get_running_loop().call_soon(self._give_back)

    def end(self) -> None:
        self._ended = True
        if self._taking is not None:
            self._taking.cancel()
        if self.held:
            self.held = False
            self._slots.give_back()
        else:
            self._slots.waiting_threads -= self._in_thread

    def _give_back(self) -> None:
        if self._waits and self.held and (not self._in_thread or self._slots.may_wait()):
            self.held = False
            self._slots.waiting_threads += self._in_thread
            self._slots.give_back()

    async def _take_again(self) -> None:
        """One taking serves all waits of the job that return while it lasts."""
        if self.held or self._ended:
            return
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        await asyncio.shield(self._taking)

    async def _take(self) -> None:
        try:
            await self._slots.take_again()
            self.held = True
            self._slots.waiting_threads -= self._in_thread
        finally:
            self._taking = None
