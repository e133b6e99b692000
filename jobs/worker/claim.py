"""Claims: due jobs for free slots, in one call to Redis; and what wakes a worker, so that it need not poll for them."""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..store import keys
from ..store.cancellation import cancel_until_ended, wait_at_most
from ..store.outage import Outage
from ..store.script_connection import ScriptConnection
from ..store.stored_values import text, whole_ms
from .execution.claimed_job import FAILURE, ClaimedJob
from .execution.outcome_encoding import pack_row

logger = logging.getLogger("arq.worker.jobs")
FEW = 4


@dataclass(frozen=True)
class Batch:
    """The answer to one claim. `next_due_s`: seconds until the next job is due, None if none waits."""

    jobs: list[ClaimedJob]
    next_due_s: float | None
    left_behind: bool


class ClaimSize:
    """How many jobs the next claim may take: few after a pause, so that they start soon, then twice as many each time.
    At most half of the slots: while the jobs of one half run, Redis works on the claim for the other. Fewer than FEW
    would cost more than that gains.
    """

    def __init__(self, max_jobs: int) -> None:
        few = min(FEW, max_jobs)
        self._most = max(max_jobs // 2, few)
        self._first = max(max_jobs // 16, few)
        self.now = self._first

    def grow(self) -> None:
        self.now = min(self.now * 2, self._most)

    def restart(self) -> None:
        self.now = self._first


class Claimer:
    """Claims for one worker. A claim is never sent twice: when its reply is lost, what it took is released first."""

    def __init__(self, connection: ScriptConnection, worker: str, queues: Sequence[str], lease_s: float) -> None:
        self._connection = connection
        self._worker = worker
        self._queues = queues
        self._lease_ms = int(lease_s * 1000)
        self._outage = Outage("claim jobs")
        self._numbers = itertools.count(1)
        self._reply_lost = True  # a worker of this name may have lived before
        self._warned = False
        self.stopped = False  # Set: wait for Redis no longer, and claim nothing more.

    async def claim(self, wanted: int, suspects: int, mine: Callable[[], dict[str, str]]) -> Batch:
        """Claim up to *wanted* jobs, at most *suspects* of them suspects; *mine* returns the tokens of jobs held here.

        Waits for a Redis that is away, until it is `stopped`.
        """
        while not self.stopped:
            async with self._outage.attempt():
                batch = await self._connection.with_own_keys(partial(self._claim, wanted, suspects, mine))
                if not self.stopped:
                    return batch
                await self.release_all_but(mine())
        return Batch([], None, left_behind=False)

    async def release_all_but(self, mine: dict[str, str]) -> None:
        """Make due again the jobs that are this worker's in Redis, but not in *mine*."""
        known = [word for pair in mine.items() for word in pair]
        for job_id in await self._connection.run("release", [self._worker, ",".join(self._queues), *known]):
            logger.info("job %s was claimed here and is not started: released", text(job_id))

    async def _claim(self, wanted: int, suspects: int, mine: Callable[[], dict[str, str]]) -> Batch:
        if self._reply_lost:
            await self.release_all_but(mine())
        self._reply_lost = True  # until it is here, and after a defect: running jobs are worth more than a clean end
        token = f"{self._worker}:{next(self._numbers)}"
        rows, next_due_ms, left_behind, foreign, unreadable, wrong_type, received = await self._connection.run(
            "claim", [self._worker, token, self._lease_ms, wanted, suspects, *self._queues]
        )
        if wrong_type:
            async with self._outage.attempt():
                await self._connection.put_aside()
        for job_id, why in unreadable:
            logger.error("job %s cannot be read, it is left for a minute: %s", text(job_id), text(why))
        if foreign and not self._warned:
            self._warned = True
            logger.warning("job %s is run by a stock arq worker on our queue; it is left alone", text(foreign[0]))
        now = time.monotonic()
        jobs = []
        for row in rows:
            try:
                jobs.append(_claimed(row, token, now, int(received)))
            except ValueError as error:  # an id that is not text, a number that is none
                await self._drop(row[0], token, error)
        self._reply_lost = False
        return Batch(jobs, None if next_due_ms < 0 else next_due_ms / 1000, bool(left_behind))

    async def _drop(self, job_id: bytes, token: str, error: ValueError) -> None:
        logger.error("%r in the queue is no job, it is dropped: %s", job_id, error)
        row = pack_row((job_id, token, FAILURE, 0, 0, "0", b"", "", -1, 0))
        await self._connection.run("finish", [self._worker, keys.HISTORY_LENGTH, "", row, b""])
        await self._connection.run("forget", [job_id])


def _claimed(row: list[Any], token: str, now: float, received: int) -> ClaimedJob:
    job_id, queue, payload, attempts, due, enqueued, *rest = row
    ids = job_id.decode(), queue.decode()
    job = ClaimedJob(*ids, payload, token, now, attempts, whole_ms(due), whole_ms(enqueued), received)
    if rest:
        job.verdict = rest[0].decode()
        job.retries, job.crashes, job.lapsed, job.unknown_since, job.suspect, job.is_member, job.steps = map(
            whole_ms, rest[1:]
        )
    return job


@dataclass(eq=False)
class Waker:
    """Waits for wake tokens of *queues*, while the worker can take jobs. One token is given to one waiting worker."""

    connection: ScriptConnection
    queues: Sequence[str]
    poll_s: float
    can_take: Callable[[], bool]
    until_slot_is_free: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        self.poll_s = max(self.poll_s, 0.01)
        self._woken = asyncio.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._outage = Outage("listen for wake-ups, jobs are found by looking")

    async def wait(self, next_due_s: float | None) -> None:
        """Wait until a job may be due: a token, the moment of the next deferred job, or the poll."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        self._wanted.set()
        patience_s = self.poll_s if next_due_s is None else min(self.poll_s, next_due_s)
        await wait_at_most(patience_s, self._woken.wait())
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    async def close(self) -> None:
        await cancel_until_ended([self._task])

    async def _listen(self) -> None:
        names = [self.connection.key.WAKE + queue for queue in self.queues]
        pop = partial(self.connection.command, b"BLPOP", *names, self.poll_s, patience_s=self.poll_s)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with self._outage.attempt():  # the poll goes on meanwhile
                token = await self.connection.with_own_keys(pop)
                if token is not None and self.can_take():
                    self._woken.set()
                    continue
                if token is not None:  # it is another worker's turn; if there is none, ours once we can take again
                    await self.connection.command(b"LPUSH", token[0], 1)
                    while not self.can_take():
                        await self.until_slot_is_free()
            self._wanted.set()
