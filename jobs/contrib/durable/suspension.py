"""How a job comes to wait without a run: once nothing but waits is left of what it has asked for."""

import asyncio
import json
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NoReturn

from ...errors import QuarqError
from ...store.keys import LAST_MS
from ...store.stored_values import moment_of
from ...tasks.current import CurrentJob
from ...values.short_text import time_text
from ...worker.execution.claimed_job import PENDING, RETRY, SUSPENDED, HeldJob, Outcome
from ...worker.execution.job_log import log_fields
from .entries import EVENT, RUN
from .history import History, Name

TURNS = 100  # Of a loop that does not show what is ready, such as uvloop: how many the code has to go on.
NEVER = (
    "a deadline of the code around a wait, such as asyncio.timeout(), never passes: the run ends before. Give the wait "
    "itself one, `self.wait_for_event(name, timeout=60)`; around a step write `self.step(..., timeout=60)`"
)


@dataclass(frozen=True)
class Wait:
    """`until`: in ms since 1970; 0 is without end."""

    name: Name | None
    until: int = 0


class Suspension:
    """Cancels the run of a job as a shutdown does. Not while a step, or something on its way to Redis, is under way."""

    def __init__(self, job: CurrentJob, held: HeldJob, history: History) -> None:
        self._job, self._held, self._history = job, held, history
        self._waits, self._futures = list[Wait](), dict[asyncio.Future[None], asyncio.Task[Any] | None]()
        self._under_way = 0
        self._is_over = self._is_lost = self._is_judged = self._is_looking = False

    def begin(self) -> None:
        """Something is under way. CancelledError: the run is over."""
        self.check()
        self._under_way += 1

    def end(self) -> None:
        self._under_way -= 1
        self._look_soon()

    def check(self) -> None:
        if self._is_over:
            raise asyncio.CancelledError("this run of the job is over: it waits, or another worker has it")

    def note_lost(self) -> None:
        """Another worker has the job, or it has ended: nothing more of this run is recorded."""
        self._is_over = self._is_lost = True

    async def wait(self, wait: Wait) -> NoReturn:
        """Wait for the end of this run. The next one finds what it has waited for."""
        self.check()
        self._waits.append(wait)
        self._look_soon()
        self._futures[future := asyncio.get_running_loop().create_future()] = asyncio.current_task()
        try:
            await future
        finally:
            self._futures.pop(future, None)
            if not self._is_over:  # its caller waits no longer, as in a timeout of its own
                self._waits.remove(wait)
        raise AssertionError

    async def judged(self, outcome: Outcome) -> Outcome:
        """The outcome of this run: what its code came to is dropped once it was suspended."""
        self._is_judged = True
        for future in [*self._futures]:  # of waits that code has left behind
            future.cancel()
        if self._is_lost:
            return Outcome(PENDING, why="its claim was lost")
        if self._is_over:
            return self._outcome()
        if outcome.state == RETRY:
            outcome.more = await self._history.failures()
        return outcome

    def _look_soon(self) -> None:
        if self._waits and not self._is_looking:
            self._is_looking = True
            self._held.slot.loop.call_soon(self._look, TURNS, context=Context())

    def _look(self, turns: int) -> None:
        self._is_looking = False
        if self._under_way or not self._waits or self._held.stopped or self._held.task is None:
            return
        if self._is_over or self._is_judged:  # code that has returned may have left a wait behind
            return
        if self._goes_on(turns):
            self._is_looking = True
            self._held.slot.loop.call_soon(self._look, turns - 1, context=Context())
            return
        if any(wait.name for wait in self._waits) and self._has_deadline():
            for future in self._futures:
                future.set_exception(QuarqError(NEVER)) if not future.done() else None
            return
        self._is_over = self._job.suspended = True
        self._held.stopped = "suspended"
        self._held.task.cancel()

    def _goes_on(self, turns: int) -> bool:
        """Is anything of this run ready: a task of it, or what tells one that a step, a gather or a group has ended?
        Each has the context of the run, or a copy of that.
        """
        ready = getattr(self._held.slot.loop, "_ready", None)
        if ready is None:
            return turns > 0
        contexts = [handle._context for handle in [*ready] if not handle.cancelled()]
        return any(context.get(log_fields, ("",))[0] == self._held.job.id for context in contexts)

    def _has_deadline(self) -> bool:
        """Has code a deadline around a wait? asyncio.timeout and anyio know their task, wait_for a future."""
        task = self._held.task
        for handle in [*getattr(self._held.slot.loop, "_scheduled", ())]:  # uvloop does not show them
            if handle.cancelled():
                continue
            scope, args = getattr(handle._callback, "__self__", None), handle._args or ()
            of = getattr(scope, "_task", None) or getattr(scope, "_host_task", None)
            if scope is not self._job._deadline and of is not None and of in (task, *self._futures.values()):
                return True
            if args and args[0] is getattr(task, "_fut_waiter", self):
                return getattr(handle._callback, "__name__", "") == "_release_waiter"
        return False

    def _outcome(self) -> Outcome:
        until = min((wait.until for wait in self._waits if wait.until), default=LAST_MS)
        names = [wait.name for wait in self._waits if wait.name]
        events = sorted({name.name for name in names if name.kind == EVENT})
        children = [name.shown for name in names if name.kind == RUN]
        more = self._history.seen, until, json.dumps(events) if events else "", int(self._history.has_children())
        words = [f"waits for the event {name!r}" for name in events] + [f"waits for {name}" for name in children]
        if until < LAST_MS:
            words.append(f"{'at the latest ' if words else 'sleeps '}until {time_text(moment_of(until))}")
        return Outcome(SUSPENDED, why=", ".join(words), more=more)
