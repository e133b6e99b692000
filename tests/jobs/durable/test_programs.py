"""A property: whatever steps, children, sleeps, events and branches a program has, each effect happens once, and its
outcome is that of the same program without any of that, in eager mode and on a worker, with replays and without."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from jobs import CurrentJob, task
from jobs.client.connection import JobsRedis
from jobs.contrib.durable.log import ClaimLost, RedisLog
from jobs.store.call import Call
from jobs.testing import Clock, Workers, eager
from jobs.worker.execution.claimed_job import HeldJob

Program = list[Any]
effects: Counter[str] = Counter()
SELDOM = 0.1
KINDS = ("step", "thread", "fail", "sleep", "child", "event", "branches", "retry")


async def act(word: str) -> str:
    effects[word] += 1
    return word


def act_in_thread(word: str) -> str:
    effects[word] += 1
    return word


async def fail(word: str) -> None:
    effects[word] += 1
    raise ValueError(word)


@task(name="durable.program_child")
async def program_child(word: str) -> str:
    effects[word] += 1
    return word


@task(name="durable.program", bind=True, max_retries=None, default_retry_delay=0)
async def program(self: CurrentJob, name: str, operations: Program) -> list[Any]:
    return [await run(self, f"{name}.{n}", operation) for n, operation in enumerate(operations)]


async def run(job: CurrentJob, word: str, operation: Any) -> Any:  # noqa: C901  # a row for each kind
    """Do one operation; *word* is its place in the program."""
    match operation:
        case "step":
            return await job.step("act", act, word, key=word)
        case "thread":
            return await job.step("act", act_in_thread, word, key=word)
        case "fail":
            try:
                await job.step("fail", fail, word, key=word)
            except ValueError as error:
                return f"caught {error}"
        case "sleep":
            return await job.sleep(len(word), key=word)
        case "child":
            return await job.run(program_child.s(word), key=word)
        case "event":
            return await job.wait_for_event(f"event {word}", timeout=60, default=f"none {word}")
        case "retry":
            if job.request.retries < 1:
                job.retry()
            return "retried"
        case [*branches]:
            return await asyncio.gather(*(run(job, f"{word}.{n}", one) for n, one in enumerate(branches)))
    raise AssertionError(operation)


def outcome(word: str, operation: Any) -> Any:
    match operation:
        case "fail":
            return f"caught {word}"
        case "sleep":
            return None
        case "event":
            return f"none {word}"
        case "retry":
            return "retried"
        case [*branches]:
            return [outcome(f"{word}.{n}", one) for n, one in enumerate(branches)]
    return word


def made(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.choice(KINDS if depth == 0 else KINDS[:-2])
    return [made(rng, depth + 1) for _ in range(rng.randrange(2, 4))] if kind == "branches" else kind


def times_of(word: str, operation: Any, is_before_retry: bool) -> dict[str, int]:
    """How often each operation of it acts: a retry forgets the failures before it."""
    if isinstance(operation, list):
        parts = [times_of(f"{word}.{n}", branch, is_before_retry) for n, branch in enumerate(operation)]
        return {name: n for part in parts for name, n in part.items()}
    if operation == "fail":
        return {word: 1 + is_before_retry}
    return {word: 1} if operation in ("step", "thread", "child") else {}


def programs(seed: int, n: int) -> dict[str, Program]:
    rng = random.Random(seed)
    return {f"p{number}": [made(rng) for _ in range(rng.randrange(1, 7))] for number in range(n)}


def check(asked: dict[str, Program], found: dict[str, Any], is_lossy: bool = False) -> None:
    """*is_lossy*: a claim may be lost while a branch next to it is between its effect and the record of that."""
    for name, operations in asked.items():
        assert found[name] == [outcome(f"{name}.{n}", one) for n, one in enumerate(operations)], (name, operations)
        first = operations.index("retry") if "retry" in operations else -1  # the others do not retry
        for n, operation in enumerate(operations):
            expected = times_of(f"{name}.{n}", operation, n < first)
            did = {word: effects[word] for word in expected}
            if is_lossy and isinstance(operation, list):
                assert all(did[word] >= n for word, n in expected.items()), (name, operations)
            else:
                assert did == expected, (name, operations)


async def test_in_eager_mode() -> None:
    effects.clear()
    asked, found = programs(1, 40), dict[str, Any]()
    with eager():
        for name, operations in asked.items():
            found[name] = await (await program.delay(name, operations)).get()
    check(asked, found)


class Losing(RedisLog):
    """Now and then the run has lost its claim, before or after what it writes; not between an effect and its record."""

    def __init__(self, held: HeldJob, redis: JobsRedis, rng: random.Random) -> None:
        super().__init__(held)
        self.redis, self.rng, self.held = redis, rng, held

    async def record(self, field: str, entry: bytes) -> None:
        await self.lose(0 if field.startswith("step:") else SELDOM)
        await super().record(field, entry)
        await self.lose(SELDOM)

    async def call(self, field: str, entry: bytes, call: Call) -> None:
        await self.lose(SELDOM)
        await super().call(field, entry, call)
        await self.lose(SELDOM)

    async def time_out(self, place: str, entry: bytes) -> bytes:
        await self.lose(SELDOM)
        found = await super().time_out(place, entry)
        await self.lose(SELDOM)
        return found

    async def lose(self, chance: float) -> None:
        """Have the job due again, as it is after the death of a worker."""
        if self.rng.random() >= chance:
            return
        redis, job_id = self.redis, self.held.job.id
        async with redis.pipeline(transaction=True) as pipe:  # as release.lua
            pipe.delete(redis.key.IN_PROGRESS + job_id)
            pipe.hset(redis.key.RECORD + job_id, mapping={"state": "PENDING", "owner": ""})
            pipe.zrem(redis.key.LEASES + "default", job_id)
            pipe.zadd(redis.key.QUEUE, {job_id: 0})
            await pipe.execute()
        lost.append(job_id)
        raise ClaimLost(job_id)


lost: list[str] = []


async def test_runs_that_are_lost_at_any_point(jobs_worker: Workers, jobs_clock: Clock) -> None:
    effects.clear()
    lost.clear()
    asked, rng = programs(4, 25), random.Random(4)
    async with jobs_worker(tasks=[program, program_child]) as worker:
        worker.pool.replays = False
        worker.pool.steps = lambda held: Losing(held, worker.pool, rng)
        results = {name: await program.delay(name, operations) for name, operations in asked.items()}
        await jobs_clock.advance(minutes=20)
        found = {name: await result.get(timeout=5) for name, result in results.items()}
    assert len(lost) > 10
    check(asked, found, is_lossy=True)


@pytest.mark.parametrize("replays", [True, False])
async def test_on_a_worker(replays: bool, jobs_worker: Workers, jobs_clock: Clock) -> None:
    effects.clear()
    asked = programs(2 + replays, 25)
    async with jobs_worker(tasks=[program, program_child]) as worker:
        worker.pool.replays = replays
        results = {name: await program.delay(name, operations) for name, operations in asked.items()}
        await jobs_clock.advance(minutes=20)
        found = {name: await result.get(timeout=5) for name, result in results.items()}
    check(asked, found)
