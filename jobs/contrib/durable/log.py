"""Where the steps of a job are: in Redis, each write only if the claim's token still owns the job."""

from functools import partial
from typing import Any, Protocol

from ...errors import StepsFull
from ...store.call import Call
from ...store.keys import MOST_STEPS, STEPS_BYTES
from ...store.outage import Outage
from ...store.store import CLASH, REFUSED, Store
from ...store.stored_values import text
from ...worker.execution.claimed_job import HeldJob
from ...workflows.members import Revoked, refuse_member

LOST, TOO_MANY, TOO_LARGE = -1, -2, -3  # Answers of recording.lua.
_outage = Outage("record steps")


class ClaimLost(Exception):
    """Another worker has the job, or it has ended."""


class Log(Protocol):
    """What has the steps of one job. `record` and `call` raise ClaimLost and StepsFull."""

    def now_ms(self) -> int: ...
    async def read(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """The entries of its steps, and of its journal: the ends of children, and events."""
        ...

    async def record(self, field: str, entry: bytes) -> None: ...
    async def call(self, field: str, entry: bytes, call: Call) -> None: ...
    async def time_out(self, place: str, entry: bytes) -> bytes:
        """What has the place: the time-out, or the event that came before it."""
        ...


async def read(connection: Store, job_id: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The entries of a job's steps and of its journal, as they were at one moment."""
    async with connection.pipeline(transaction=True) as pipe:
        pipe.hgetall(connection.key.STEPS + job_id)
        pipe.hgetall(connection.key.JOURNAL + job_id)
        steps, journal = ({text(name): entry for name, entry in fields.items()} for fields in await pipe.execute())
    return steps, journal


class RedisLog:
    """The Log of a job on a worker. It waits for a Redis that is away: what a step did must be recorded."""

    def __init__(self, held: HeldJob) -> None:
        self._redis, self._job = held._redis, held.job

    def now_ms(self) -> int:
        return int(self._job.now_s() * 1000)

    async def read(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        return await _outage.keep_trying(partial(read, self._redis, self._job.id), only_away=True)

    async def record(self, field: str, entry: bytes) -> None:
        refuse(await self._run("step", field, entry), field)

    async def call(self, field: str, entry: bytes, call: Call) -> None:
        answer, *stored = await self._run("child", field, entry, *call.words())
        refuse(answer, field)
        if stored == [REFUSED]:
            raise Revoked
        if stored and isinstance(stored[0], bytes):
            note = partial(refuse_member, self._redis, call, text(stored[0]), self._job.token)
            refused = await _outage.keep_trying(note, only_away=True)
            await self.record(field, entry)
            raise refused
        if stored == [CLASH]:
            raise StepsFull(f"{field}: its job {call.id} cannot be called: another job has this id")

    async def time_out(self, place: str, entry: bytes) -> bytes:
        found = await self._run("time_out", place, entry)
        refuse(found, place)
        return bytes(found)

    async def _run(self, script: Any, *words: str | bytes | int) -> Any:
        run = partial(self._redis.run_script, script, self._job.id, self._job.token, *words)
        return await _outage.keep_trying(run, only_away=True)


def refuse(answer: Any, field: str) -> None:
    """Raise what an answer of recording.lua means."""
    if answer == LOST:
        raise ClaimLost
    if answer == TOO_MANY:
        raise StepsFull(
            f"{field}: a job has at most {MOST_STEPS:,} steps. Have a job of its own do a part: `self.run(part.s())`"
        )
    if answer == TOO_LARGE:
        raise StepsFull(
            f"{field}: the steps of a job take at most {STEPS_BYTES // 2**20} MB. Keep large values elsewhere, and "
            "return what finds them"
        )
