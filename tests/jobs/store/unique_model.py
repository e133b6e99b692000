"""What unique tasks promise, in plain Python, beside the real scripts: each step is done by both, and compared."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs import Unique, task
from jobs.client.connection import JobsRedis
from jobs.client.decorator import Task
from jobs.client.result import Result, revoke_all
from jobs.client.submit import calls_of
from jobs.store.call import Answer, Call
from jobs.store.script_connection import ScriptConnection
from jobs.store.store import NEW, TAKEN
from jobs.worker.claim import Claimer
from jobs.worker.execution.claimed_job import FAILURE, PENDING, RETRY, REVOKED, SUCCESS, CallData, HeldJob, Outcome
from jobs.worker.execution.outcome_encoding import OutcomeEncoder
from jobs.worker.execution.runnables import decode_call
from jobs.workflows.task_table import NOTHING

KEPT = 4  # Records of ended jobs that a finish leaves.
DEBOUNCE, MAX_WAIT, WINDOW, EXPIRES = 5500, 12_500, 20_500, 9500
START_MS = 1_900_000_000_000


async def run(key: object, value: int) -> None: ...


TASKS: dict[str, Task[..., None]] = {
    kind: task(name=f"tests.unique.{kind}", unique=unique, expires=expires)(run)
    for kind, unique, expires in (
        ("end", Unique("key"), EXPIRES / 1000),
        ("start", Unique("key", until="start"), None),
        ("window", Unique("key", window=WINDOW / 1000), None),
        ("debounce", Unique("key", debounce=DEBOUNCE / 1000, max_wait=MAX_WAIT / 1000), None),
        ("replace", Unique("key", on_conflict="replace"), EXPIRES / 1000),
        ("error", Unique("key", on_conflict="error"), None),
    )
}


@dataclass
class Job:
    id: str
    key: int
    value: int
    called: int
    due: int
    expires: float
    state: str = "waiting"  # or running, lapsed (its worker is gone), ended
    begun: bool = False
    revoked: bool = False
    has_record: bool = True
    is_forgotten: bool = False
    folds: list[str] = field(default_factory=list)


class Model:
    """One task, its jobs and its keys; `step` does one thing at random to it and to Redis."""

    def __init__(self, redis: JobsRedis, kind: str, seed: int) -> None:
        self.redis, self.kind, self.random = redis, kind, random.Random(seed)
        self.now = START_MS + seed * 10**9
        self.jobs: dict[str, Job] = {}
        self.keys: dict[int, str] = {}
        self.names: dict[int, str] = {}  # of keys in Redis
        self.calls: list[tuple[Call, int, int]] = []
        self.ended: list[str] = []
        self.held: dict[str, HeldJob] = {}
        self.log: list[str] = []
        self.connection = ScriptConnection(redis.connection_pool, redis.key)
        self.claimer = Claimer(self.connection, "w", ["default"], lease_s=600)
        self.encoder = OutcomeEncoder(redis, "w")

    async def begin(self) -> None:
        await self._set_clock()
        await self.claimer.claim(1, 1, dict)

    async def _set_clock(self) -> None:
        await self.redis.set(self.redis.key.CLOCK, self.now - int(time.time() * 1000))
        alive = {"seen": self.now, "back": self.now - 10_000}  # a worker may take over what has lapsed
        await self.redis.hset(self.redis.key.ALIVE, mapping=alive)  # type: ignore[misc,arg-type]

    async def step(self) -> None:
        steps = [self.call] * 5 + [self.again, self.claim, self.claim, self.finish, self.finish, self.finish]
        steps += [self.revoke, self.forget, self.crash, self.wait, self.wait]
        self.now += self.random.choice([3, 1000, 2000])
        await self._set_clock()
        doing = self.random.choice(steps)
        self.log.append(f"{self.now - START_MS}: {doing.__name__}")
        await doing()
        await self.compare()

    # what callers do

    async def call(self) -> None:
        key, value = self.random.randrange(3), self.random.randrange(10**6)
        [call] = calls_of(self.redis, [(TASKS[self.kind].s(key, value), {})], NOTHING)
        assert call.unique
        self.names[key] = self.redis.key.UNIQUE + call.unique[2]
        self.calls.append((call, key, value))
        await self._send([(call, key, value)])

    async def again(self) -> None:
        """Calls whose answers were lost, or that two have sent; together with one that is new."""
        if self.calls:
            await self._send(self.random.choices(self.calls, k=2))

    async def _send(self, calls: Sequence[tuple[Call, int, int]]) -> None:
        expected = [self._answer(*call) for call in calls]
        self.log[-1] += f" {[(call.id[:4], key) for call, key, _ in calls]} -> {expected}"
        answers = await self.redis.enqueue([call for call, *_ in calls])
        assert answers == expected, (answers, self.log[-20:])

    def _answer(self, call: Call, key: int, value: int) -> Answer:
        if call.id in self.jobs and not self.jobs[call.id].is_forgotten:
            return TAKEN
        if (holder := self._holder(key)) is not None:
            if holder.id == call.id:
                return TAKEN
            if self.kind != "error" and call.id != (holder.folds or [""])[-1]:
                self._fold(holder, call.id, value)
            replaces = self.kind == "debounce" or (self.kind == "replace" and holder.state == "waiting")
            return [holder.id.encode()] if replaces else holder.id.encode()
        due = self.now + (DEBOUNCE if self.kind == "debounce" else 0)
        expires = self.now + EXPIRES if self.kind in ("end", "replace") else 1e99
        self.jobs[call.id] = Job(call.id, key, value, self.now, due, expires)
        self.keys[key] = call.id
        return NEW

    def _holder(self, key: int) -> Job | None:
        if (holder := self.jobs.get(self.keys.get(key, ""))) is None:
            return None
        if self.kind == "window":
            return None if holder.has_record and self.now >= holder.called + WINDOW else holder
        if holder.state == "ended" or (holder.begun and self.kind in ("start", "debounce")):
            return None
        return None if not holder.begun and self.now >= holder.expires else holder

    def _fold(self, holder: Job, call_id: str, value: int) -> None:
        if holder.has_record:
            holder.folds.append(call_id)
        if self.kind == "debounce":
            holder.value, holder.due = value, min(self.now + DEBOUNCE, holder.called + MAX_WAIT)
        if self.kind == "replace" and holder.state == "waiting":
            holder.value, holder.due, holder.expires = value, min(holder.due, self.now), self.now + EXPIRES

    # what workers and operators do

    async def claim(self) -> None:
        tokens = {job_id: held.job.token for job_id, held in self.held.items()}
        for job in (await self.claimer.claim(2, 9, lambda: tokens)).jobs:
            own = self.jobs[job.id]
            assert own.state != "ended"
            assert own.state == "lapsed" or own.due <= self.now
            assert own.value == decode_call(job.payload, self.redis.loads).args[1]
            assert (job.verdict == "expired") == (not own.begun and self.now >= own.expires), (job, own, self.log[-20:])
            if not own.begun and self.kind in ("start", "debounce") and self.keys.get(own.key) == job.id:
                del self.keys[own.key]
            own.state, own.begun = "running", True
            self.held[job.id] = HeldJob(job, None, self.redis, None, CallData(TASKS[self.kind].name))  # type: ignore[arg-type]
            if job.verdict:
                await self._record(job.id, REVOKED)

    async def finish(self) -> None:
        if self.held:
            await self._record(self.random.choice([*self.held]), self.random.choice([SUCCESS, FAILURE, RETRY, PENDING]))

    async def _record(self, job_id: str, state: str) -> None:
        held, own = self.held.pop(job_id), self.jobs[job_id]
        value = ValueError("no luck") if state in (FAILURE, RETRY) else None
        delay = self.random.choice([0, 3]) if state == RETRY else 0
        outcome = Outcome(state, value, delay_s=delay, keep_s=10**6)
        words = self.encoder.row(held, outcome)
        [answer] = await self.connection.run("finish", ["w", KEPT, "", *words])
        if state == RETRY and own.revoked:
            assert answer == 2
            self.held[job_id] = held
            return await self._record(job_id, REVOKED)
        assert answer == 1
        if state in (RETRY, PENDING):
            own.state, own.due = "waiting", self.now + delay * 1000 if state == RETRY else own.due
        else:
            self._end(own)
            for old in self.ended[:-KEPT]:
                self.jobs[old].has_record = False
            del self.ended[:-KEPT]

    def _end(self, own: Job) -> None:
        own.state = "ended"
        self.ended.append(own.id)
        if self.kind != "window" and self.keys.get(own.key) == own.id:
            del self.keys[own.key]

    async def revoke(self) -> None:
        """Those that wait end; or all that wait, as by a purge."""
        waiting = [job for job in self.jobs.values() if job.state != "ended"]
        some = waiting if self.random.random() < 0.1 else self.random.sample(waiting, min(len(waiting), 1))
        for own in some:
            self.now += 3  # each ends at a time of its own: the history is trimmed in this order
            await self._set_clock()
            await revoke_all(self.redis, [own.id])
            own.revoked = True
            if own.state == "waiting":
                self._end(own)

    async def forget(self) -> None:
        if self.ended:
            own = self.jobs[self.ended.pop(self.random.randrange(len(self.ended)))]
            await Result(own.id, self.redis).forget()
            own.has_record, own.is_forgotten = False, True

    async def crash(self) -> None:
        """The worker of a job is gone: its lease has lapsed."""
        if self.held:
            job_id = self.random.choice([*self.held])
            del self.held[job_id]
            self.jobs[job_id].state = "lapsed"
            await self.redis.delete(self.redis.key.IN_PROGRESS + job_id)
            for key in (self.redis.key.QUEUE, self.redis.key.LEASES + "default"):
                await self.redis.zadd(key, {job_id: self.now - 1})

    async def wait(self) -> None:
        self.now += self.random.choice([2000, 6000, 15_000])
        await self._set_clock()

    # what is compared

    async def compare(self) -> None:
        found = {key: value.decode() for key, name in self.names.items() if (value := await self.redis.get(name))}
        assert found == self.keys, (found, self.keys, self.log[-8:])
        count = 0
        async for _ in self.redis.scan_iter(f"{self.redis.key.UNIQUE}*"):
            count += 1
        assert count == len(found)
        alive = [
            job
            for job in self.jobs.values()
            if job.state != "ended" and not (self.now >= job.expires and not job.begun)
        ]
        counted = [job.key for job in alive if not (job.begun and self.kind in ("start", "debounce"))]
        if self.kind != "window":
            assert len(counted) == len({*counted})
        for job in alive:
            if job.state == "waiting":
                due, folded = await self.redis.hmget(self.redis.key.RECORD + job.id, ["due", "folded"])  # type: ignore[misc]
                assert abs(int(due) - job.due) < 400, (job, int(due) - job.due, self.log[-8:])
                assert int(folded or 0) == len(job.folds), (job, folded, self.log[-8:])

    async def end(self) -> None:
        """All that waits is revoked, all that runs ends: then no key is left but of windows."""
        for own in [job for job in self.jobs.values() if job.state == "waiting"]:
            await revoke_all(self.redis, [own.id])
            self._end(own)
        while [job for job in self.jobs.values() if job.state != "ended"]:
            for job_id in [*self.held]:
                await self._record(job_id, SUCCESS)
            await self.claim()
        await self.compare()
        assert self.kind == "window" or not self.keys
        await self.connection.close()
