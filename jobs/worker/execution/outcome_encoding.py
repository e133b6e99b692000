"""What is stored of an outcome: its result, its entry in the log of attempts, its callbacks. Asks Redis nothing."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import msgpack

from ... import encoding
from ...client.submit import WORKFLOW_TASKS, calls_that_follow
from ...errors import EncodingError
from ...store import keys
from ...store.call import LARGE_LIMIT, Call
from ...store.store import Store
from ...values.exceptions import traceback_text, whole_text
from ...values.sendable import DEPTH, check, too_large
from ...values.short_text import said, text
from ...workflows.canvas import LINK, LINK_ERROR
from ...workflows.members import KEPT_CALL_BYTES
from .claimed_job import FAILURE, PARKED, RETRY, SUCCESS, SUSPENDED, CallData, HeldJob, Outcome, request_of
from .job_log import reason_of
from .runnables import decode_call

logger = logging.getLogger("arq.worker.jobs")

FOREVER_MS = 100 * 365 * 86_400_000

Row: TypeAlias = list[str | bytes | int]  # The words of finish.lua for one job.
pack_row = msgpack.Packer(use_bin_type=False).pack  # As Lua reads it. It calls no code of ours: it is for all threads.


@dataclass(frozen=True)
class OutcomeEncoder:
    """Encodes the outcomes of the jobs of *worker*, with the serializer and the limits of *store*."""

    store: Store
    worker: str = ""
    pickled: Any = None  # The module that writes what arq reads too, see Runner.

    def row(self, held: HeldJob, outcome: Outcome) -> Row:
        """The row of an outcome. One that cannot be encoded becomes a FAILURE, `held.outcome` too."""
        held.outcome = outcome
        try:
            return self._row(held, outcome)
        except Exception as error:  # a payload or an exception made to hurt: its job must end all the same
            logger.exception("job %s: its outcome cannot be written", held.job.id)
            return self._bare_failure(held, error)

    def result(self, held: HeldJob, outcome: Outcome, run_ms: int) -> tuple[bytes, Outcome]:
        """The result as it is stored, with its outcome: a FAILURE if it cannot be encoded."""
        try:
            return self._result(held, outcome, run_ms), outcome
        except Exception as error:
            kind = type(error) if isinstance(error, EncodingError) else EncodingError
            refusal = kind(f"the result of {held.call.task} cannot be stored: {said(error, 500)}")
            logger.warning("job %s: %s", held.job.id, refusal)
            failure = Outcome(FAILURE, refusal, keep_s=outcome.keep_s, why=str(refusal))
            return self._result(held, failure, run_ms), failure

    def callbacks(self, held: HeldJob, outcome: Outcome) -> list[Callable[[], Call]]:
        """What makes the calls that its `link` or `link_error` asks for."""
        options = held.call.options
        if outcome.state == SUCCESS:
            linked = options.get("link", ())
            return calls_that_follow(self.store, held.job.id, LINK, linked, (outcome.value,), held.headers)
        error = outcome.value
        args = (request_of(held.job, self._as_sent(held)), error, traceback_text(error))
        linked = options.get("link_error", ())
        return calls_that_follow(self.store, held.job.id, LINK_ERROR, linked, args, held.headers)

    def _row(self, held: HeldJob, outcome: Outcome) -> Row:
        job = held.job
        run_ms = int((time.monotonic() - job.started) * 1000)
        result, ttl_ms = b"", _ttl_ms(outcome)
        if outcome.ends and (job.is_member or (ttl_ms > 0 and not outcome.ignored)):
            result, outcome = self.result(held, outcome, run_ms)
        held.outcome = outcome
        times = ttl_ms, int(min(outcome.delay_s * 1000, keys.LAST_MS)), str(run_ms)
        entry, calls = self._log_entry(held, outcome, run_ms), self._what_follows(held, outcome)
        row = job.id, job.token, outcome.state, *times, entry, _extra(outcome), job.wait_ms, len(calls)
        return [pack_row(row), result, *(word for call in calls for word in call.words())]

    def _bare_failure(self, held: HeldJob, error: Exception) -> Row:
        """A FAILURE without a result: nothing in it is the job's own but its id."""
        why = f"its outcome cannot be written: {text(error, 500)}"
        held.outcome = outcome = Outcome(FAILURE, EncodingError(why))
        entry = self._log_entry(held, outcome, 0)
        job, times = held.job, (_ttl_ms(outcome), 0, "0")
        return [pack_row((job.id, job.token, FAILURE, *times, entry, "", job.wait_ms, 0)), b""]

    def _what_follows(self, held: HeldJob, outcome: Outcome) -> list[Call]:
        """The callbacks to be stored in the same step as the end."""
        calls, makers = list[Call](), list[Callable[[], Call]]()
        if not held.call.options or not outcome.ends:
            return calls
        try:
            makers = self.callbacks(held, outcome)
        except Exception:
            logger.exception("job %s: its callbacks cannot be called", held.job.id)
        for number, make in enumerate(makers):
            try:
                calls.append(make())
            except Exception:
                logger.exception("job %s: its callback %d cannot be called", held.job.id, number)
        return calls

    def _as_sent(self, held: HeldJob) -> CallData:
        """The call as it was sent: the task may have changed its arguments since."""
        return decode_call(held.sent, self.store.loads) if held.sent else held.call

    def _result(self, held: HeldJob, outcome: Outcome, run_ms: int) -> bytes:
        """arq's result: the same fields, so that `arq.jobs.Job` reads it. In a journal only the outcome matters.

        The call is kept with it, as it was sent, for people who look. Not a long one of a member: that holds the
        results of a group, which are kept in the journal too.
        """
        job, call = held.job, held.call
        of_arq = self.pickled is not None and self.pickled.is_of_arq(held)
        value = self.pickled.shown(outcome.value) if of_arq else outcome.value
        new: dict[str, Any] = {"s": outcome.state == SUCCESS, "r": value}
        if not job.is_member:
            tries = max(job.retries + 1, call.job_try or 0)
            enqueued = call.enqueued or job.enqueued or job.received
            new |= {"t": tries, "et": enqueued, "st": job.received, "ft": job.received + run_ms}
            new |= {"q": self.store.key.queue_key(job.queue), "id": job.id}
        if job.is_member and len(job.payload) > KEPT_CALL_BYTES:
            encoded = self._dumps(new, held)
        elif held.sent and self.store.is_own_encoding and not of_arq:
            encoded = encoding.joined(held.sent, self._dumps(new, held))
        else:
            sent = self._as_sent(held)
            kept = {"f": sent.task, "a": list(sent.args), "k": sent.kwargs, "h": sent.headers, "cut": sent.cut}
            encoded = self._dumps({name: value for name, value in kept.items() if value or name in "fak"} | new, held)
        limit = LARGE_LIMIT if call.task in WORKFLOW_TASKS else self.store.size_limit
        if len(encoded) > limit and (size := len(self._dumps({"r": value}, held))) > limit:
            raise too_large("it takes", size, limit)
        return self.pickled.answer(encoded, new, held, outcome.value) if of_arq else encoded

    def _dumps(self, data: dict[str, Any], held: HeldJob) -> bytes:
        """Journals are always in our encoding: a worker with another serializer may read them."""
        if not (self.store.is_own_encoding or held.job.is_member):
            return self.store.dumps(data)
        # everything else in it is the library's own, or was decoded
        wrapped = held.call.task in WORKFLOW_TASKS
        check(data["r"], encoding.WRAPPED if wrapped else DEPTH)
        return encoding.pack(data)

    def _log_entry(self, held: HeldJob, outcome: Outcome, run_ms: int) -> bytes | list[bytes | str]:
        """One entry of the job's log of attempts, of one that failed with its parts; a first success needs none."""
        if outcome.state in (SUCCESS, PARKED, SUSPENDED) or outcome.keys:
            return b""
        job, why, error = held.job, outcome.why, None
        if outcome.state in (FAILURE, RETRY) and isinstance(outcome.value, BaseException) and why != "cancelled":
            why, error = traceback_text(outcome.value), reason_of(outcome.value)
        entry = [job.attempts, self.worker, job.received, job.received + run_ms, outcome.state]
        packed = encoding.dumps([*entry, whole_text(why)])
        if error is None or outcome.by_member:
            return packed
        failures = import_module("...contrib.failures", __package__)
        return [packed, held.call.task, *failures.parts_of(error, why)]


def _ttl_ms(outcome: Outcome) -> int:
    return keys.RESULT_EXPIRES_MS if outcome.keep_s is None else int(min(outcome.keep_s * 1000, FOREVER_MS))


def _extra(outcome: Outcome) -> Any:
    if outcome.state == PARKED:
        return outcome.members_seen
    return "by member" if outcome.by_member else outcome.keys or outcome.unknown_since or outcome.more
