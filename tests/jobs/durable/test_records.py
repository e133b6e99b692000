"""What is recorded: continued by later code, fenced by the claim's token, limited, and one script for each step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from jobs import CurrentJob, StepChanged, StepsFull, task
from jobs.client.decorator import Task
from jobs.contrib.durable.children import Child
from jobs.contrib.durable.entries import digest_of
from jobs.store.keys import MOST_STEPS, RESULT_EXPIRES_MS, STEPS_BYTES
from jobs.testing import Clock, Workers
from jobs.worker import Worker
from tests.jobs.durable import durable_tasks as tasks
from tests.jobs.durable.durable_tasks import child, done, note
from tests.jobs.durable.recording import JOB_ID, recorded, restore
from tests.waiting import wait_until

OLD = ["paid", "row 1", "row 2", "a", "b", "no gift", "label", {"by": "ann"}]

Code = Callable[[CurrentJob], Awaitable[Any]]


async def names_removed(self: CurrentJob) -> Any:
    await self.sleep(1)
    return await self.step("charge", note, "paid again")


async def names_added(self: CurrentJob) -> Any:
    first = await self.step("check", note, "new")
    return [first, await self.step("charge", note, "paid again"), await self.run(child.s("x"), name="other")]


async def another_order(self: CurrentJob) -> Any:
    event, label = await self.wait_for_event("approval"), await self.run(child.s("other label"))
    return [event, label, await self.step("row", note, "x", key=2), await self.step("row", note, "x", key=3)]


async def renamed(self: CurrentJob) -> Any:
    label = await self.run(child.s("x"), name="label", aliases=["durable.child"])
    return [await self.step("pay", note, "x", aliases=["debit", "charge"]), label]


async def another_failure(self: CurrentJob) -> Any:
    await self.step("gift", note, "a gift after all")


async def other_words(self: CurrentJob) -> Any:
    return [await self.step("word", note, word) for word in ("a", "B")]


async def other_words_kept(self: CurrentJob) -> Any:
    return [await self.step("word", note, word, on_change="keep") for word in ("a", "B")]


async def another_kind(self: CurrentJob) -> Any:
    await self.step("charge", note, "x", key=None)
    await self.sleep(1, name="sleep")
    return await self.sleep(1, name="other")


@pytest.mark.parametrize(
    ("code", "expected", "does"),
    [
        (recorded.function, OLD, {}),
        (names_removed, "paid", {}),
        (names_added, ["new", "paid", "x"], {"new": 1, "child x": 1}),
        (another_order, [{"by": "ann"}, "label", "row 2", "x"], {"x": 1}),
        (renamed, ["paid", "label"], {}),
        (another_failure, tasks.Declined, {}),
        (other_words, StepChanged, {}),
        (other_words_kept, ["a", "b"], {}),
        (another_kind, None, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_later_code_continues_a_recorded_job(
    code: Code, expected: Any, does: dict[str, int], jobs_worker: Workers, jobs_clock: Clock
) -> None:
    later: Task[[], Any] = Task(code, recorded.name, recorded.options)
    async with jobs_worker(tasks=[later, child]) as worker:
        await restore(worker.pool)
        await jobs_clock.advance(days=4)

        outcome = await later.result(JOB_ID).get(timeout=5, propagate=False)
        assert outcome == expected or type(outcome) is expected
        ttl = {name: await worker.pool.ttl(name + JOB_ID) for name in (worker.pool.key.STEPS, worker.pool.key.JOURNAL)}
    assert done == does
    assert all(0 < left <= 86_400 for left in ttl.values())


@task(name="durable.many_steps", bind=True)
async def many_steps(self: CurrentJob, n: int, size: int = 1) -> int:
    for number in range(n):
        await self.step("one", note, "x" * size, key=number)
    return n


@pytest.fixture
async def worker(jobs_worker: Workers) -> AsyncIterator[Worker]:
    async with jobs_worker(tasks=[*tasks.ALL, many_steps, held]) as worker:
        worker.pool.replays = False
        yield worker


async def test_a_step_is_one_script_and_no_other_command(worker: Worker) -> None:
    async def counted(steps: int) -> int:
        before = await worker.pool.info("commandstats")
        assert await (await many_steps.delay(steps)).get(timeout=5) == steps
        after = await worker.pool.info("commandstats")
        calls = {name: row["calls"] - before.get(name, {"calls": 0})["calls"] for name, row in after.items()}
        return sum(calls.get(f"cmdstat_{name}", 0) for name in ("evalsha", "hincrby", "hgetall"))

    await counted(1)
    few, many = await counted(10), await counted(110)
    assert 200 <= many - few < 230  # an EVALSHA and its HINCRBY for each; a renewal of the lease may come between


async def test_a_value_may_take_as_much_as_a_result(worker: Worker) -> None:
    error = await (await many_steps.delay(1, 300_000)).get(timeout=5, propagate=False)
    assert "the step 'one[0]' takes 300," in str(error)
    assert done["x" * 300_000] == 1


async def test_the_number_of_steps_has_a_limit(worker: Worker) -> None:
    result = await many_steps.apply_async((1,), countdown=1)
    await result.send_event("any")
    fields = {f"step:old[{n}]": b"S" for n in range(MOST_STEPS)}
    await worker.pool.hset(worker.pool.key.STEPS + result.id, mapping=fields)  # type: ignore[misc, arg-type]

    error = await result.get(timeout=5, propagate=False)
    assert isinstance(error, StepsFull)
    assert str(error) == "one[0]: a job has at most 10,000 steps. Have a job of its own do a part: `self.run(part.s())`"
    assert not done


async def test_their_bytes_have_a_limit(worker: Worker) -> None:
    result = await many_steps.apply_async((1,), countdown=1)
    await worker.pool.hset(worker.pool.key.RECORD + result.id, "steps", STEPS_BYTES - 10)  # type: ignore[misc]
    await worker.pool.hset(worker.pool.key.RECORD + result.id, "state", "PENDING")  # type: ignore[misc]

    error = await result.get(timeout=5, propagate=False)
    assert isinstance(error, StepsFull)
    assert "take at most 64 MB" in str(error)


gate = asyncio.Event()


@task(name="durable.held", bind=True)
async def held(self: CurrentJob) -> str:
    async def hold() -> str:
        done["hold"] += 1
        await gate.wait()
        return "held"

    return await self.step("hold", hold) + await self.step("after", note, " after")


async def test_a_run_that_has_lost_its_claim_records_nothing_and_does_nothing_more(worker: Worker) -> None:
    gate.clear()
    result = await held.delay()
    record = worker.pool.key.RECORD + result.id
    await wait_until(lambda: done["hold"], "the step to begin")
    await worker.pool.hset(record, "owner", "another")  # type: ignore[misc]
    gate.set()

    await wait_until(lambda: not worker.engine.held, "the run to be over")
    assert done == {"hold": 1}
    assert await worker.pool.hlen(worker.pool.key.STEPS + result.id) == 0  # type: ignore[misc]
    assert await result.state() == "STARTED"


async def test_what_an_earlier_life_of_an_id_has_left_is_not_found(worker: Worker) -> None:
    for n in (1, 2):
        result = await many_steps.apply_async((2,), task_id="again")
        assert await result.get(timeout=5) == 2
        assert done["x"] == 2 * n
        await result.forget()
        assert not await worker.pool.exists(worker.pool.key.STEPS + "again")


async def test_the_arguments_of_a_job_that_has_ended_are_kept_as_long_as_its_result(worker: Worker) -> None:
    result = await many_steps.apply_async((2,), task_id="kept")
    await result.get(timeout=5)
    key = worker.pool.key
    assert 0 < await worker.pool.pttl(key.ENDED_CALL + result.id) <= RESULT_EXPIRES_MS
    assert not await worker.pool.hexists(key.RECORD + result.id, "payload")  # type: ignore[misc]

    await result.forget()
    assert not await worker.pool.exists(key.ENDED_CALL + result.id)


def test_the_same_arguments_have_one_digest_in_each_process() -> None:
    """The order of a set, or of a dict that was made of one, depends on the seed of hashes."""
    some, same = {0, 8}, {8, 0}
    assert [*some] != [*same]
    wraps: list[Callable[[Any], Any]] = [lambda one: one, lambda one: [{"ids": frozenset(one)}], dict.fromkeys]
    for wrap in wraps:
        assert digest_of("f", (wrap(some),), {"x": wrap(some)}) == digest_of("f", (wrap(same),), {"x": wrap(same)})
        assert Child(child.s(wrap(some))).digest == Child(child.s(wrap(same))).digest
    assert digest_of("f", ({0, 8},), {}) != digest_of("f", ({0, 9},), {})
