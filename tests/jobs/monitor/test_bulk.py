"""Plans for many jobs, and their runs: the numbers, what a crash at any step leaves, and who carries them out."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from jobs import Result, Signature, chain, group, monitor, monitor_site, task
from jobs.client.connection import JobsRedis
from jobs.contrib.bulk_run import carry_out
from jobs.errors import QuarqError, SettingsMistake, WrongValue
from jobs.monitor_site.bulk_plan import FITS, PlanGroup
from jobs.monitor_site.model.audit_log import BEGUN
from jobs.monitor_site.query import parse
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import StartWorker, connection, start_process, start_worker
from tests.jobs.worker.tasks import ALL, fail, flaky, log, multiply, nap, patient
from tests.waiting import wait_until

__all__ = ["connection", "start_process", "start_worker"]


runs = Counter[str]()
EVERYTHING = parse("state:pending,retry,started,ended")


@task(name="tests.bulk.counted")
async def counted(key: str) -> None:
    runs[key] += 1
    raise ValueError(key)


async def states(connection: JobsRedis) -> dict[str, tuple[str, str, bool]]:
    """Of every job its state, its queue, and whether it is to stop."""
    wanted = EVERYTHING.wanted(await monitor.now(connection))
    rows = [row async for row in monitor.matching(connection, wanted)]
    revoked = [await connection.hexists(Keys.RECORD + row.id, "revoked") for row in rows]
    return {row.id: (row.state, row.queue, one) for row, one in zip(rows, revoked, strict=True)}


async def populate(connection: JobsRedis, dice: random.Random) -> None:
    """Jobs in every state that a job can be in; nothing changes by itself afterwards."""
    calls = [fail.s("a"), fail.s("b"), log.s("x"), nap.s(60), patient.s(), multiply.s(2, 3)]
    flows = [chain(fail.s("c"), log.s()), group(fail.s(n) for n in range(3)), group(nap.s(60), fail.s("d"))]
    begun = [await (dice.choice(calls) if dice.random() < 0.7 else dice.choice(flows)).delay() for _ in range(24)]
    for result in begun:
        await wait_until(lambda result=result: _has_begun(result), f"{result} to have begun")
    for result in begun[:6]:
        if await result.state() == "FAILURE":
            again = Result(await monitor.retry(connection, result.id))
            await wait_until(again.ready, f"{again} to end")
    await monitor.pause(connection, "default")
    for result in begun[6:9]:
        await connection.delete(Keys.RESULT + result.id)
    for _ in range(12):
        node, queue = dice.choice([*calls, *flows]), dice.choice(["default", "other"])
        result = await node.apply_async(queue=queue, countdown=dice.choice([0, 600]))
        if dice.random() < 0.2:
            await result.revoke()


async def _has_begun(result: Any) -> bool:
    return await result.state() not in ("PENDING", "UNKNOWN")


def changed(before: dict[str, Any], after: dict[str, Any]) -> int:
    """How many jobs are new, or are not as they were."""
    return sum(before.get(job_id) != now for job_id, now in after.items())


@pytest.mark.parametrize("seed", range(2))
async def test_a_run_does_what_its_plan_says_if_nothing_else_changes(
    connection: JobsRedis, start_worker: StartWorker, seed: int
) -> None:
    await start_worker(max_jobs=100)
    dice = random.Random(seed)
    await populate(connection, dice)
    actions = [*FITS, *FITS]
    dice.shuffle(actions)

    for action in actions:
        before = await states(connection)
        queue = dice.choice(["other", "third"]) if action == "move" else ""
        made = await monitor_site.plan(connection, action, EVERYTHING, queue=queue)
        assert await states(connection) == before
        [*_, last] = [step async for step in carry_out(connection, made.id)]
        assert [step async for step in carry_out(connection, made.id)] == [last]  # it was killed before its end
        after = await states(connection)

        assert made.jobs == sum(group.jobs for group in made.groups)
        assert last == {"done": made.jobs, "total": made.jobs, "skipped": 0}, (action, made)
        if action in ("move", "retry"):
            assert changed(before, after) == made.jobs
        if action == "purge":
            assert Counter(state for state, *_ in after.values())["REVOKED"] >= made.jobs
            assert changed(before, after) >= made.jobs
        again = await monitor_site.plan(connection, action, EVERYTHING, queue=queue)
        if action in ("retry", "purge", "move"):
            assert again.jobs == 0, (action, again)


async def test_a_plan_counts_by_task_and_error_and_says_what_it_leaves_out(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()
    failed = [await fail.delay(str(n)) for n in range(4)]
    gone = await fail.delay("gone")
    wrong = await flaky.delay("no number")  # type: ignore[arg-type]  # on purpose
    flow = await group(fail.s("m"), fail.s("n"), log.s("o")).delay()
    good = await log.delay("x")
    for result in [*failed, gone, wrong, flow, good]:
        await wait_until(result.ready, f"{result} to end")
    await wait_until(Result(await monitor.retry(connection, failed[0].id)).ready, "the rerun to end")
    await connection.delete(Keys.RESULT + gone.id)

    made = await monitor_site.plan(connection, "retry", parse("state:ended"), rate="10/s")

    assert set(made.groups) == {
        PlanGroup("tests.fail", "ValueError", 4),  # three, and the rerun
        PlanGroup("tests.flaky", "TypeError", 1),
        PlanGroup("jobs.workflow", "ValueError", 1),
    }
    assert made.left_out == {
        "run again already": 1,
        "arguments not kept": 1,
        "members of workflows, which go on": 2,
        "SUCCESS": 2,
    }
    assert (made.jobs, made.each_s, made.more) == (6, 0.1, False)
    assert await monitor_site.read_plan(connection, made.id) == made
    with pytest.raises(WrongValue, match="longer than a week"):
        await monitor_site.plan(connection, "retry", parse("state:ended"), rate="0.01/h")
    with pytest.raises(SettingsMistake):
        await monitor_site.plan(connection, "retry", EVERYTHING, rate="often")
    with pytest.raises(WrongValue, match="the query is empty"):
        await monitor_site.plan(connection, "purge", parse(" "))
    with pytest.raises(WrongValue):
        await monitor_site.plan(connection, "erase", EVERYTHING)
    with pytest.raises(WrongValue):
        await monitor_site.plan(connection, "move", EVERYTHING, queue="=jobs:job:x")


async def test_what_comes_after_the_plan_is_not_touched(connection: JobsRedis, start_worker: StartWorker) -> None:
    worker = await start_worker()
    flow = await group(fail.s("m"), log.s("o")).delay()
    early = await fail.delay("early")
    await wait_until(flow.ready, "the workflow to fail")
    await wait_until(early.ready, "the job to fail")
    made = await monitor_site.plan(connection, "retry", parse("state:failed"))
    assert made.jobs == 2
    late = await fail.delay("late")
    await connection.set(Keys.CLOCK, 5)
    assert await flow.retry_failed()
    await wait_until(late.ready, "the late one to fail")
    await wait_until(flow.ready, "the workflow to fail again")

    [*_, last] = [step async for step in carry_out(connection, made.id)]

    assert last == {"done": 2, "total": 2, "skipped": 1}
    assert [row.id for row in await monitor_site.reruns_of(connection, late.id)] == [late.id]
    assert worker.statistics().counts["FAILURE"] >= 3


class Dying(JobsRedis):
    """A client whose process dies at its n-th question: before it is asked, or when it was answered."""

    left = 0
    answered = False

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self._ask(super().execute_command, *args, **options)

    async def run_script(self, *args: Any) -> Any:
        return await self._ask(super().run_script, *args)

    async def _ask(self, ask: Any, *args: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.answered:
            raise asyncio.CancelledError
        answer = await ask(*args, **options)
        if self.left < 0:
            raise asyncio.CancelledError
        return answer


@pytest.mark.parametrize("action", FITS)
async def test_a_run_that_dies_at_any_step_and_runs_again_changes_each_job_once(
    connection: JobsRedis, redis_url: str, start_worker: StartWorker, action: str
) -> None:
    await start_worker(tasks=[*ALL, counted])
    dying = Dying.at(redis_url)
    await _plan_until_none_dies(connection, dying, action)
    await dying.aclose()


async def _plan_until_none_dies(connection: JobsRedis, dying: Dying, action: str) -> None:
    for at in range(1000):
        single, flow = f"single {at}", f"flow {at}"
        if action == "retry":
            results = [await counted.delay(single), await group(counted.s(flow), log.s(1)).delay()]
            for result in results:
                await wait_until(result.ready, f"{result} to fail")
        else:
            results = [await log.apply_async((1,), countdown=600), await group(log.s(1)).apply_async(countdown=600)]
        ids = [result.id for result in results]
        made = await monitor_site.plan(connection, action, ids, queue="other" * (action == "move"))
        dying.left, dying.answered = at // 2, bool(at % 2)
        has_died = not await _is_carried_out(dying, made.id)
        assert not has_died or await _is_carried_out(connection, made.id)

        assert (await monitor_site.read_plan(connection, made.id)).done == made.jobs == 2
        if action == "retry":
            for result in (Result(f"{ids[0]}~2"), results[1]):
                await wait_until(result.ready, f"{result} to fail again")
            assert (runs[single], runs[flow]) == (2, 2)
            assert len(await monitor_site.reruns_of(connection, ids[0])) == 2
        elif action == "move":
            assert [await connection.zscore("arq:queue:other", job_id) is not None for job_id in ids] == [True] * 2
        else:
            assert [await result.state() for result in results] == ["REVOKED"] * 2
        if not has_died:
            break
    assert at > 4


async def _is_carried_out(connection: JobsRedis, plan_id: str) -> bool:
    try:
        async for _ in carry_out(connection, plan_id):
            pass
    except asyncio.CancelledError:
        return False
    return True


async def test_a_run_is_a_job_before_all_others_of_its_queue(connection: JobsRedis, start_worker: StartWorker) -> None:
    later = await log.apply_many([(n,) for n in range(30)], queue="later")
    made = await monitor_site.plan(connection, "purge", parse("queue:later"), rate="100/s")
    assert await monitor_site.start(connection, made, "ann") is None
    assert (await monitor.audit(connection)).rows == []
    await start_worker(queues=["default"], max_jobs=1)
    await wait_until(lambda: monitor.workers(connection), "the worker to be online")
    await monitor.pause(connection, "default")
    assert await monitor_site.start(connection, made, "ann") is None
    await monitor.resume(connection, "default")
    busy = await nap.delay(0.2)
    await wait_until(lambda: _has_begun(busy), "the worker to be busy")
    await log.apply_many([(n,) for n in range(3)])

    run = await monitor_site.start(connection, made, "ann")
    assert run == f"bulk:{made.id}" == await monitor_site.start(connection, made, "ben")
    assert await connection.zrange(Keys.QUEUE, 0, 0) == [run.encode()]
    said = [meta async for meta in Result(run).progress()]

    assert said[-1] == await Result(run).get(timeout=5) == {"done": 30, "total": 30, "skipped": 0}
    assert {await result.state() for result in later} == {"REVOKED"}
    [entry] = (await monitor.audit(connection)).rows
    assert (entry.who, entry.what, entry.target) == ("ann", "purge many", "queue:later")
    assert entry.result == "30 of 30 jobs"


async def test_a_run_that_is_stopped_goes_on_when_it_is_retried(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()
    await wait_until(lambda: monitor.workers(connection), "the worker to be online")
    results = await log.apply_many([(n,) for n in range(40)], countdown=600)
    made = await monitor_site.plan(connection, "move", [result.id for result in results], queue="other", rate="40/s")
    run = await monitor_site.start(connection, made, "ann")
    assert run is not None

    async def is_under_way() -> bool:
        return (await monitor_site.read_plan(connection, made.id)).done > 2

    await wait_until(is_under_way, "the run to have begun")
    assert await monitor.revoke(connection, run, terminate=True) == "STARTED"
    await wait_until(Result(run).ready, "the run to stop")
    moved = await connection.zcard("arq:queue:other")
    assert (await monitor_site.read_plan(connection, made.id)).done <= moved < 40
    [entry] = (await monitor.audit(connection)).rows
    assert entry.result == f"40 jobs. {BEGUN}"

    again = await monitor.retry(connection, run)

    assert await Result(again).get(timeout=5) == {"done": 40, "total": 40, "skipped": 0}
    assert await connection.zcard("arq:queue:other") == 40


async def test_a_plan_is_kept_for_an_hour_and_leaves_out_runs_like_its_own(connection: JobsRedis) -> None:
    result = await log.delay("x")
    made = await monitor_site.plan(connection, "purge", [result.id])
    assert 3_500 < await connection.ttl(Keys.BULK + made.id) <= 3_600
    await monitor_site.confirm(connection, made, "ann")
    assert await connection.ttl(Keys.BULK + made.id) > 600_000
    await connection.submit(Signature("jobs.bulk", (made.id,)), {})

    everything = await monitor_site.plan(connection, "purge", EVERYTHING)

    assert (everything.jobs, everything.left_out) == (1, {"runs like this one": 1})
    await connection.delete(Keys.BULK + made.id)
    with pytest.raises(QuarqError, match="there is no plan"):
        await monitor_site.read_plan(connection, made.id)
