"""Records outcomes: those of one turn of the loop are written together, each fenced by its token."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from ..store import keys
from ..store.outage import Outage
from ..store.script_connection import ScriptConnection
from .execution.claimed_job import HeldJob, Outcome, revoked
from .execution.outcome_encoding import OutcomeEncoder, Row

logger = logging.getLogger("arq.worker.jobs")

HELD_LIMIT = 10_000  # A worker that holds this many outcomes, because Redis is away, claims no more.
WRITTEN_TOGETHER = 500  # Outcomes that one script writes.
DONE_ALREADY, IS_REVOKED, NOT_OURS = 0, 2, -1  # Answers of finish.lua.


class Recorder:
    """Writes outcomes in the order they come. An effect may be recorded late, after an outage; it is never forgotten
    while the process lives. Writing the same outcome again is answered as done, so a lost reply is no danger.
    """

    def __init__(
        self, encoder: OutcomeEncoder, connection: ScriptConnection, settled: Callable[[HeldJob, bool], None]
    ) -> None:
        self._encoder = encoder
        self._connection = connection
        self._settled = settled
        self._outage = Outage("record results")
        self._held: deque[tuple[HeldJob, Row]] = deque()
        self._wanted = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def is_full(self) -> bool:
        """Must the worker stop claiming?"""
        return len(self._held) >= HELD_LIMIT

    def put(self, held: HeldJob, outcome: Outcome) -> None:
        self._held.append((held, self._encoder.row(held, outcome)))
        self.idle.clear()
        self._wanted.set()

    async def write_forever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(0)  # the claim for the slots that are free now goes first: jobs wait for its answer
            while self._held:
                await self._write([self._held[i] for i in range(min(len(self._held), WRITTEN_TOGETHER))])
            self.idle.set()

    async def _write(self, batch: list[tuple[HeldJob, Row]]) -> None:
        head = self._encoder.worker, keys.HISTORY_LENGTH, self._encoder.store.notifications.listener
        args: Row = [*head, *(word for _, row in batch for word in row)]
        write = partial(self._connection.run, "finish", args)
        answers = await self._outage.keep_trying(partial(self._connection.with_own_keys, write))
        for (held, _), answer in zip(batch, answers[: len(batch)], strict=True):
            self._held.popleft()
            try:
                self._settle(held, answer)
            except Exception:  # the outcome is written: no defect here may keep those behind it from being
                logger.exception("job %s: its outcome is recorded, but what comes after failed", held.job.id)
        loop, notifications = asyncio.get_running_loop(), self._encoder.store.notifications
        for message in answers[len(batch) :]:
            loop.call_soon(notifications.hear_news, message)
        if DONE_ALREADY in answers:  # an earlier answer, with messages, was lost
            loop.call_soon(notifications.look)

    def _settle(self, held: HeldJob, answer: int) -> None:
        if answer == IS_REVOKED:
            return self.put(held, revoked(held.job.id))
        if answer == NOT_OURS:
            logger.warning("job %s belongs to another worker now: its outcome here is dropped", held.job.id)
        return self._settled(held, answer != NOT_OURS)
