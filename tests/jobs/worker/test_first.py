"""The first of several jobs to succeed; the others are revoked."""

from __future__ import annotations

import pytest

from jobs import Result, chain, first, group, task
from jobs.client.connection import JobsRedis
from jobs.errors import ResultUnknown
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log, nap
from tests.waiting import wait_until


@task(name="tests.fastest")
async def fastest(name: str) -> str:
    """A race inside a task: those that run in it have ids, so that a task that is run again waits for the same."""
    slow = await log.apply_async(("slow",), countdown=60, task_id=f"{name} slow")
    return str(await first([slow, await log.apply_async(("fast",), task_id=f"{name} fast")]))


async def test_the_first_success_is_given_and_the_others_are_revoked(start_worker: StartWorker) -> None:
    await start_worker()
    later = await log.apply_async(("later",), countdown=60)
    workflow = await chain(nap.s(60), log.s()).delay()
    running, _ = await workflow.children()
    await wait_until(lambda: _is(running, "STARTED"), "the member to run")

    result = await first([later, workflow, await log.delay("now")], terminate=True)

    assert result == "now"
    assert await later.state() == "REVOKED"
    await wait_until(lambda: _is(workflow, "REVOKED"), "the workflow to end")
    await wait_until(lambda: _is(running, "REVOKED"), "its member to be stopped")


async def test_one_that_runs_goes_on_unless_it_is_to_be_stopped(start_worker: StartWorker) -> None:
    await start_worker()
    running = await nap.delay(1)
    await wait_until(lambda: _is(running, "STARTED"), "it to run")

    assert await first([running, await log.delay("now")]) == "now"

    assert await running.get(timeout=5) == "rested"


async def test_failures_are_passed_over(start_worker: StartWorker) -> None:
    await start_worker()
    broken = await group(log.s(1), fail.s()).delay()
    await broken.get(propagate=False)

    assert await first([broken, await fail.delay(), await nap.delay(0.1)]) == "rested"


async def test_if_all_fail_the_first_error_in_order_is_raised(start_worker: StartWorker) -> None:
    await start_worker()
    slow = await chain(nap.s(0.2), fail.si("one")).delay()

    with pytest.raises(ValueError, match="one"):
        await first([slow, await fail.delay("two"), Result("nobody knows")])
    with pytest.raises(ResultUnknown):
        await first([Result("nobody knows")])


async def test_of_several_that_have_ended_one_is_given_and_none_is_revoked(start_worker: StartWorker) -> None:
    await start_worker()
    both = [await log.delay(1), await log.delay(2)]
    assert [await result.get() for result in both] == [1, 2]

    assert await first(both) in (1, 2)
    assert [await result.state() for result in both] == ["SUCCESS", "SUCCESS"]


async def test_time_that_is_up_changes_nothing(start_worker: StartWorker) -> None:
    await start_worker()
    slow = await nap.delay(0.5)

    with pytest.raises(TimeoutError, match=f"none of the jobs {slow.id} has succeeded after 0.05 s; .* why {slow.id}`"):
        await first([slow], timeout=0.05)

    assert await slow.get(timeout=5) == "rested"


async def test_a_race_inside_a_task_needs_no_second_slot(start_worker: StartWorker) -> None:
    await start_worker(tasks=[*tasks.ALL, fastest], max_jobs=1)

    results = [await fastest.delay(name) for name in ("a", "b", "c")]

    assert [await result.get(timeout=10) for result in results] == ["fast", "fast", "fast"]
    assert await Result("a slow").state() == "REVOKED"


async def test_of_nothing_there_is_no_first(connection: JobsRedis) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await first([])


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
