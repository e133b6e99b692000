"""The members of a workflow, each as it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs import Result, chain, group, task
from jobs.client.connection import JobsRedis
from jobs.errors import ResultUnknown, TaskRevoked
from jobs.store import subscription
from jobs.store.keys import Keys
from jobs.worker import orchestrator
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log, nap, note_error
from tests.waiting import wait_until


@task(name="tests.collect")
async def collect(n: int) -> list[int]:
    """Takes what its workflow gives as it comes; it says how far that is, and follows that as well."""
    result = await group(log.s(number) for number in range(n)).delay()
    taken = [await part.get() async for part in result.as_completed()]
    assert [meta async for meta in result.progress()][-1]["done"] == n
    return sorted(taken)


async def places(result: Result) -> list[str]:
    return [part.id.removeprefix(f"{result.id}:") async for part in result.as_completed()]


async def test_members_come_in_the_order_in_which_they_end(start_worker: StartWorker) -> None:
    await start_worker()
    result = await group(nap.s(1), log.s("now"), nap.s(0.4)).delay()

    given = [await part.get(timeout=0.2) async for part in result.as_completed()]

    assert given == ["now", "rested", "rested"]
    assert await places(result) == ["0", "1", "2"]  # all had ended: the order of the tree


async def test_one_is_given_while_others_still_run(start_worker: StartWorker) -> None:
    await start_worker()
    result = await group(nap.s(60), log.s("now")).delay()

    async for part in result.as_completed():
        assert await part.get() == "now"
        break

    assert await result.state() == "STARTED"


async def test_members_that_were_not_called_yet_come_as_well(start_worker: StartWorker) -> None:
    await start_worker()
    result = await chain(log.s(1), group((nap.si(0.1) for _ in range(3)), max_concurrency=1)).delay()

    assert await places(result) == ["0", "1.0", "1.1", "1.2"]


async def test_those_that_fail_come_and_those_that_are_never_called_do_not(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    inner = chain(fail.s("broken"), log.s()).on_error(note_error.s(str(tmp_path / "told")))
    result = await group(inner, log.s(2), return_exceptions=True).delay()

    parts = {part.id.removeprefix(result.id): part async for part in result.as_completed()}

    assert parts.keys() == {":0.0", ":1"}
    with pytest.raises(ValueError, match="broken"):
        await parts[":0.0"].get()


async def test_a_revoked_workflow_gives_no_more(start_worker: StartWorker) -> None:
    await start_worker()
    result = await chain(log.s(1), log.s().set(countdown=60)).delay()
    given: list[Result] = []

    async for part in result.as_completed():
        given.append(part)
        if len(given) == 1:
            await result.revoke()

    assert [part.id for part in given[:1]] == [f"{result.id}:0"]
    with pytest.raises(TaskRevoked):
        await result.get()


async def test_the_members_of_a_workflow_that_was_parked_come(
    start_worker: StartWorker, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.1)
    await start_worker()
    result = await group(nap.s(1.5), nap.s(60)).delay()
    await wait_until(lambda: connection.hget(Keys.RECORD + result.id, "parked"), "it to be parked")

    async with asyncio.timeout(4):
        async for part in result.as_completed():
            assert part.id == f"{result.id}:0"
            break


async def test_lost_messages_cost_no_more_than_a_look(
    start_worker: StartWorker, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It listens where nobody speaks."""
    monkeypatch.setattr(subscription, "LOOK_WHEN_SILENT_S", 0.2)
    monkeypatch.setitem(vars(connection.key), "ENDS", "jobs:nobody:")
    await start_worker()
    result = await group(log.s(1), nap.s(60)).delay()

    async with asyncio.timeout(4):
        async for part in result.as_completed():
            assert await part.get() == 1
            break


async def test_a_task_on_the_only_slot_follows_what_it_has_called(start_worker: StartWorker) -> None:
    await start_worker(tasks=[*tasks.ALL, collect], max_jobs=1)

    results = [await collect.delay(3) for _ in range(3)]

    assert [await result.get(timeout=10) for result in results] == 3 * [[0, 1, 2]]


async def test_what_is_no_workflow_has_no_members(start_worker: StartWorker) -> None:
    await start_worker()
    plain = await log.delay("plain")

    with pytest.raises(ResultUnknown, match=f"no workflow '{plain.id}'"):
        await places(plain)
