"""Record outcomes: those of one turn of the loop travel together, each fenced by its token."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from .. import encoding
from ..client.connection import JobsRedis
from ..client.submit import WORKFLOW_TASKS, calls_that_follow
from ..errors import EncodingError, TooLarge
from ..store import keys, scripts
from ..store.call import LARGE_LIMIT, Call
from ..store.outage import Outage
from ..store.script_connection import ScriptConnection
from ..store.wrong_type import with_own_keys
from ..values.exceptions import traceback_text, whole_text
from ..values.sendable import DEPTH, check
from ..values.short_text import said, text
from ..workflows.canvas import LINK, LINK_ERROR
from .execution.claimed_job import (
    FAILURE,
    PARKED,
    RETRY,
    SUCCESS,
    CallData,
    ClaimedJob,
    Outcome,
    revoked,
)
from .execution.held_job import HeldJob
from .execution.runnables import decode_call, request_of

logger = logging.getLogger("arq.worker")

HELD_LIMIT = 10_000
"""Outcomes held while Redis is away; with so many, the worker claims no more."""
BATCH = 500
CALL_KEPT = 65_536
"""Bytes of a member's call, up to which it is kept beside its outcome, where pages look for it."""
FOREVER_MS = 100 * 365 * 86_400_000

Row: TypeAlias = list[str | bytes | int]
"""The words of finish.lua for one job."""


class Recorder:
    """Writes outcomes in the order they come. An effect may be recorded late, after an outage; it is never forgotten
    while the process lives. Writing the same outcome again is answered as done, so a lost reply is no danger.
    """

    def __init__(
        self,
        redis: JobsRedis,
        connection: ScriptConnection,
        worker: str,
        settled: Callable[[HeldJob, bool], None],
    ) -> None:
        self._redis = redis
        self._connection = connection
        self._worker = worker
        self._settled = settled
        self._outage = Outage("record results")
        self._held: deque[tuple[HeldJob, Row]] = deque()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.result_expires_s = keys.RESULT_EXPIRES_MS / 1000

    @property
    def is_full(self) -> bool:
        """Are so many outcomes held that the worker must not claim?"""
        return len(self._held) >= HELD_LIMIT

    def put(self, held: HeldJob, outcome: Outcome) -> None:
        """Have the outcome written, soon. One that cannot be encoded becomes a FAILURE that says so."""
        held.outcome = outcome
        try:
            row = self._row(held, outcome)
        except Exception as error:  # a payload or an exception made to hurt: its job must end all the same
            logger.exception("job %s: what came of it cannot be written", held.job.id)
            row = self._bare_failure(held, error)
        self._held.append((held, row))
        self._idle.clear()
        self._wanted.set()

    async def wait_until_idle(self) -> None:
        await self._idle.wait()

    async def write_forever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._held:
                await self._write([self._held[i] for i in range(min(len(self._held), BATCH))])
            self._idle.set()

    async def _write(self, batch: list[tuple[HeldJob, Row]]) -> None:
        args: Row = [self._worker, keys.HISTORY_LENGTH]
        for _, row in batch:
            args += row
        answers = await self._outage.keep_trying(
            lambda: with_own_keys(self._connection, lambda: self._connection.run(scripts.FINISH, args))
        )
        for (held, _), answer in zip(batch, answers, strict=True):
            self._held.popleft()
            try:
                self._settle(held, answer)
            except Exception:  # the outcome is written: no defect here may keep those behind it from being
                logger.exception("job %s: its outcome is recorded, but what comes after failed", held.job.id)

    def _settle(self, held: HeldJob, answer: int) -> None:
        if answer == 2:
            return self.put(held, revoked(held.job.id))
        if answer == -1:
            logger.warning(
                "job %s belongs to another worker now: what came of it here is dropped", held.job.id
            )
        return self._settled(held, answer != -1)

    def _row(self, held: HeldJob, outcome: Outcome) -> Row:
        job = held.job
        run_ms = int((time.monotonic() - job.started) * 1000)
        result = b""
        ttl_ms = self._ttl_ms(outcome)
        if outcome.ends and (job.is_member or (ttl_ms > 0 and not outcome.ignored)):
            result, outcome = self.result(held, outcome, run_ms)
        held.outcome = outcome
        log_entry, extra = self._log_entry(job, outcome, run_ms), self._extra(outcome)
        times = ttl_ms, int(outcome.delay_s * 1000), run_ms
        following = self._what_follows(held, outcome)
        return [job.id, job.token, outcome.state, result, *times, log_entry, extra, *following]

    def _extra(self, outcome: Outcome) -> str | int:
        if outcome.state == PARKED:
            return outcome.members_seen
        return "by member" if outcome.by_member else outcome.unknown_since or ""

    def _bare_failure(self, held: HeldJob, error: Exception) -> Row:
        """A FAILURE without a result: nothing in it is the job's own but its id."""
        why = f"what came of it cannot be written: {text(error, 500)}"
        held.outcome = outcome = Outcome(FAILURE, why=why)
        entry = self._log_entry(held.job, outcome, 0)
        return [held.job.id, held.job.token, FAILURE, b"", self._ttl_ms(outcome), 0, 0, entry, "", 0]

    def _what_follows(self, held: HeldJob, outcome: Outcome) -> Row:
        """The number of callbacks to be stored in the same step as the end, and their words."""
        if not held.call.options or not outcome.ends:
            return [0]
        calls: list[Call] = []
        with _logged("job %s: its callbacks cannot be called", held.job.id):
            for number, make in enumerate(self.callbacks(held, outcome)):
                with _logged("job %s: its callback %d cannot be called", held.job.id, number):
                    calls.append(make())
        return [len(calls), *(word for call in calls for word in call.words())]

    def callbacks(self, held: HeldJob, outcome: Outcome) -> list[Callable[[], Call]]:
        """What makes the calls that its `link` or `link_error` asks for."""
        options = held.call.options
        if outcome.state == SUCCESS:
            linked = options.get("link", ())
            return calls_that_follow(self._redis, held.job.id, LINK, linked, (outcome.value,))
        error = outcome.value
        told = (request_of(held.job, self._as_sent(held)), error, traceback_text(error))
        linked = options.get("link_error", ())
        return calls_that_follow(self._redis, held.job.id, LINK_ERROR, linked, told)

    def _ttl_ms(self, outcome: Outcome) -> int:
        if outcome.keep_s is None:
            return int(self.result_expires_s * 1000)
        return FOREVER_MS if math.isinf(outcome.keep_s) else int(outcome.keep_s * 1000)

    def result(self, held: HeldJob, outcome: Outcome, run_ms: int) -> tuple[bytes, Outcome]:
        """The result as it is stored, and the outcome that it tells of: a FAILURE if it cannot be encoded."""
        try:
            return self._encode(held, outcome, run_ms), outcome
        except Exception as error:
            kind = type(error) if isinstance(error, EncodingError) else EncodingError
            refusal = kind(f"the result of {held.call.task} cannot be stored: {said(error, 500)}")
            logger.warning("job %s: %s", held.job.id, refusal)
            failure = Outcome(FAILURE, refusal, keep_s=outcome.keep_s, why=str(refusal))
            return self._encode(held, failure, run_ms), failure

    def _as_sent(self, held: HeldJob) -> CallData:
        """The call as it was sent: the task may have changed its arguments since."""
        return decode_call(held.sent, self._redis.loads) if held.sent else held.call

    def _encode(self, held: HeldJob, outcome: Outcome, run_ms: int) -> bytes:
        """arq's result: the same fields, so that `arq.jobs.Job` reads it. In a journal only the outcome matters.

        The call is kept with it, as it was sent, for people who look. Not a long one of a member: that holds the
        results of a group, which are kept in the journal too.
        """
        job, call = held.job, held.call
        new: dict[str, Any] = {"s": outcome.state == SUCCESS, "r": outcome.value}
        if not job.is_member:
            new |= {
                "t": max(job.retries + 1, call.job_try or 0),
                "et": call.enqueued or job.enqueued or job.received,
                "st": job.received,
                "ft": job.received + run_ms,
                "q": self._redis.key.queue_key(job.queue),
                "id": job.id,
            }
        if job.is_member and len(job.payload) > CALL_KEPT:
            encoded = self._dumps(new, held)
        elif held.sent and self._redis.is_own_encoding:
            encoded = encoding.joined(held.sent, self._dumps(new, held))
        else:
            sent = self._as_sent(held)
            kept = {
                "f": sent.task,
                "a": list(sent.args),
                "k": sent.kwargs,
                **({"cut": True} if sent.cut else {}),
            }
            encoded = self._dumps({**kept, **new}, held)
        limit = LARGE_LIMIT if call.task in WORKFLOW_TASKS else self._redis.size_limit
        if len(encoded) > limit and (size := len(self._dumps({"r": outcome.value}, held))) > limit:
            raise TooLarge(f"it takes {size:,} bytes; {limit:,} are allowed")
        return encoded

    def _dumps(self, data: dict[str, Any], held: HeldJob) -> bytes:
        """A journal is the library's own: whatever serializer the worker was given, another one reads it."""
        if not (self._redis.is_own_encoding or held.job.is_member):
            return self._redis.dumps(data)
        # everything else in it is the library's own, or was decoded
        wrapped = held.call.task in WORKFLOW_TASKS
        check(data["r"], encoding.WRAPPED if wrapped else DEPTH)
        return encoding.pack(data)

    def _log_entry(self, job: ClaimedJob, outcome: Outcome, run_ms: int) -> bytes:
        """One entry of the job's log of attempts; a first success needs none, its record says it all."""
        if outcome.state in (SUCCESS, PARKED):
            return b""
        why = outcome.why
        raised = outcome.state in (FAILURE, RETRY) and isinstance(outcome.value, BaseException)
        if raised and why != "cancelled":
            why = traceback_text(outcome.value)
        entry = [job.attempts, self._worker, job.received, job.received + run_ms, outcome.state]
        return encoding.dumps([*entry, whole_text(why)])


@contextlib.contextmanager
def _logged(text: str, *args: object) -> Iterator[None]:
    """What fails in here is logged, and nothing else."""
    try:
        yield
    except Exception:
        logger.exception(text, *args)
