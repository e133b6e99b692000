"""The steps of a job in eager mode: in memory, and time passes as soon as nothing but time is waited for."""

import json
import time
from collections.abc import Iterable
from itertools import count
from typing import Any

from ...errors import NotUnique, QuarqError
from ...store.call import Call
from ...store.keys import LAST_MS, MOST_STEPS
from ...store.notifications import JobState
from ...worker.execution.claimed_job import Outcome
from ...workflows.members import GIVEN
from ..durable.entries import EVENT
from ..durable.log import TOO_MANY, refuse


class EagerLog:
    """What `contrib.durable.log` has in Redis."""

    def __init__(self, redis: Any, job_id: str, jobs: dict[str, JobState]) -> None:
        self._redis, self._id, self._jobs = redis, job_id, jobs
        self.steps, self.journal = dict[str, bytes](), dict[str, bytes]()
        self._passed_ms = 0

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self._passed_ms

    async def read(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        return dict(self.steps), dict(self.journal)

    async def record(self, field: str, entry: bytes) -> None:
        if field not in self.steps and len(self.steps) >= MOST_STEPS:
            refuse(TOO_MANY, field)
        self.steps[field] = entry

    async def call(self, field: str, entry: bytes, call: Call) -> None:
        """The child runs to its end."""
        [answer] = await self._redis.enqueue([call])
        if isinstance(answer, bytes):
            raise NotUnique(call.task, answer.decode())
        await self.record(field, entry)
        ended = self._jobs[call.id]
        self.journal[field] = ended.state[:1].encode() + ended.result

    async def time_out(self, place: str, entry: bytes) -> bytes:
        return self.journal.setdefault(place, entry)

    def take(self, name: str, entry: bytes) -> tuple[int, bool]:
        """As send_event.lua: the first place of this name that nothing has."""
        n = next(n for n in count(1) if f"{name}{n}" not in self.journal)
        self.journal[f"{name}{n}"] = entry
        return n, f"{name}{n}" in self.steps

    def go_on(self, outcome: Outcome, of_workflow: "EagerLog | None") -> None:
        """It waits: take the events that were sent to its workflow, or let time pass. QuarqError: for an event alone,
        which nobody has sent.
        """
        seen, until, awaited, has_children = outcome.more
        names, sent = json.loads(awaited or "[]"), of_workflow.journal if of_workflow else {}
        for begin in [f"{EVENT}:{name}#" for name in names]:
            if place := next((place for place in sent if place.startswith(begin)), None):
                self.take(begin, sent.pop(place))
        if seen != len(self.journal) or has_children:
            return
        if until == LAST_MS:
            raise QuarqError(
                f"the job {outcome.why}, and nobody has sent it. In eager mode a job runs to its end inside its call: "
                f"before that, `await Result(id).send_event({names[0]!r}, value)`, and call it with task_id=id"
            )
        self._passed_ms += max(until - self.now_ms(), 0)

    def forget(self, fields: Iterable[str], places: Iterable[str]) -> None:
        for field in fields:
            self.steps.pop(field, None)
        for place in places:
            self.journal.pop(place, None)
            self._jobs.pop(f"{self._id}{GIVEN}{place}", None)
