"""How workflows and their members end, by every cause, and how an ended workflow is begun again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgpack
import pytest

from jobs import Result, Signature, chain, chord, connect, encoding, group, signature, task
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked, UnknownTask, WorkerLost
from jobs.store import keys
from jobs.store.keys import Keys
from jobs.store.script_connection import ScriptConnection
from jobs.store.stored_values import text
from jobs.worker import orchestrator
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import append, crash, fail, large, log, multiply, nap, note_error, parent, read
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@task(name="tests.unkept", result_expires=0.001)
async def unkept(value: str) -> str:
    return value


@task(name="tests.ignored", ignore_result=True)
async def ignored(value: str) -> str:
    return value


@task(name="tests.step_inside")
async def step_inside(n: int) -> int:
    """A task that calls a whole group, and waits for it."""
    return sum(await (await group(multiply.s(i, 2) for i in range(n)).delay()).get())


@task(name="tests.result_of")
async def result_of(job_id: str) -> Any:
    return await Result(job_id).get(timeout=5)


OURS = [*tasks.ALL, unkept, ignored, step_inside, result_of]


async def test_a_member_can_wait_for_another_that_its_own_worker_has_called(start_worker: StartWorker) -> None:
    await start_worker(tasks=OURS)
    later = log.si("at last").set(countdown=0.1)

    result = await group(result_of.s("w::1"), later).apply_async(task_id="w")

    assert await result.get(timeout=5) == ["at last", "at last"]


async def test_the_callback_of_a_workflow_is_called_beside_a_member_of_the_same_number(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    report = tmp_path / "report"

    result = await group(multiply.s(1, 1), multiply.s(2, 2)).apply_async(link=append.si(str(report), "told"))

    assert await result.get(timeout=5) == [1, 4]
    await wait_until(report.exists, "the callback")


async def test_callbacks_of_a_workflow_inside_another_are_called(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker()
    good, bad = tmp_path / "good", tmp_path / "bad"
    inner = chain(multiply.s(2, 2), multiply.s(3)).set(link=append.si(str(good), "told"))
    broken = group(fail.s("inner"), log.s(1)).on_error(note_error.s(str(bad)))

    result = await group(inner, broken, return_exceptions=True).delay()

    first, second = await result.get(timeout=5)
    assert first == 12
    assert repr(second) == "ValueError('inner')"
    await wait_until(lambda: good.exists() and bad.exists(), "both callbacks")
    assert bad.read_text() == "jobs.workflow ValueError('inner')\n"


async def test_callbacks_do_not_count_as_progress(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker()
    inner = group(log.s(1), log.s(2)).set(link=append.si(str(tmp_path / "log"), "told"))

    result = await chain(inner, log.s()).delay()

    assert await result.get(timeout=5) == [1, 2]
    assert await result.meta() == {"done": 3, "failed": 0, "total": 3}


@pytest.mark.parametrize("member", [unkept, ignored])
async def test_a_result_that_nobody_keeps_still_reaches_the_next_step(start_worker: StartWorker, member: Any) -> None:
    await start_worker(tasks=OURS)

    result = await chain(member.s("value"), log.s()).delay()

    assert await result.get(timeout=5) == "value"


async def test_one_slot_is_enough_for_a_task_that_waits_for_a_workflow(start_worker: StartWorker) -> None:
    await start_worker(tasks=OURS, max_jobs=1)

    result = await group(step_inside.s(3), step_inside.s(4)).delay()

    assert await result.get(timeout=10) == [6, 12]


async def test_the_revocation_of_one_member_fails_its_workflow(start_worker: StartWorker) -> None:
    await start_worker()
    result = await chord([nap.s(60), multiply.s(1, 1)], log.s()).delay()
    first, *_ = await result.children()
    await wait_until(lambda: _is(first, "STARTED"), "the member to run")

    await first.revoke(terminate=True)

    with pytest.raises(TaskRevoked):
        await result.get(timeout=5)


async def test_a_waiting_member_that_is_revoked_fails_its_workflow(start_worker: StartWorker) -> None:
    await start_worker()
    result = await chain(log.s(1), multiply.s(1).set(countdown=60)).delay()
    *_, second = await result.children()
    await wait_until(lambda: _is(second, "PENDING"), "the second step to wait")

    await second.revoke()

    with pytest.raises(TaskRevoked):
        await result.get(timeout=5)


async def test_a_member_that_expires_fails_its_workflow(start_worker: StartWorker) -> None:
    await start_worker()

    result = await group(log.s(1), log.s(2).set(expires=0)).delay()

    with pytest.raises(TaskRevoked, match="expired"):
        await result.get(timeout=5)


async def test_a_member_whose_task_nobody_knows_fails_its_workflow(start_worker: StartWorker) -> None:
    await start_worker(unknown_task_patience=0)

    result = await group(log.s(1), signature("tests.nobody_knows")).delay()

    with pytest.raises(UnknownTask):
        await result.get(timeout=5)


@pytest.mark.parametrize(
    "bad", [fail.s(), log.s(2).set(expires=0), signature("tests.nobody_knows")], ids=["failed", "expired", "unknown"]
)
async def test_however_a_member_ends_badly_the_body_is_not_called_and_one_error_callback_is(
    start_worker: StartWorker, tmp_path: Path, bad: Signature
) -> None:
    await start_worker(unknown_task_patience=0)
    told, ran = tmp_path / "told", tmp_path / "ran"

    result = await chord([log.s(1), bad], append.si(str(ran), "body")).apply_async(link_error=note_error.s(str(told)))

    assert isinstance(await result.get(timeout=5, propagate=False), Exception)
    await wait_until(told.exists, "the error callback")
    *_, body = await result.children()
    assert await body.state() == "UNKNOWN"
    assert len(told.read_text().splitlines()) == 1
    assert not ran.exists()


async def test_the_error_callback_of_a_body_is_called_once_when_its_header_fails(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    body, header = log.s(), [log.si(1), fail.si("one"), fail.si("two")]
    for number, build in enumerate(
        (
            lambda errback: chord(header)(body.on_error(errback)),
            lambda errback: group(header) | body.on_error(errback),
            lambda errback: group(header) | body | body.on_error(errback),
            lambda errback: log.s(0) | group(header) | body.on_error(errback),
            lambda errback: group(log.s(1), chord(header)((body | body).on_error(errback))),
            lambda errback: chord(header, body).on_error(errback),
        )
    ):
        report = tmp_path / str(number)
        result = await build(note_error.s(str(report))).delay()
        with pytest.raises(ValueError, match="one"):
            await result.get(timeout=5)
        await wait_until(report.exists, "the error callback")
        assert report.read_text() == "jobs.workflow ValueError('one')\n"


async def test_a_member_that_kills_its_workers_fails_its_workflow(
    connection: JobsRedis, start_process: Any, tmp_path: Path
) -> None:
    """The workflow itself, which was there each time, is not what killed them."""
    report = tmp_path / "report"
    result = await group(crash.s(str(report)), log.s(1)).delay()

    for _ in range(3):
        worker = await start_process(LEASE="1", LEASE_RENEWAL="0.3")
        await worker.wait_until_ended(20)
    await start_process(LEASE="1", LEASE_RENEWAL="0.3")

    with pytest.raises(WorkerLost):
        await result.get(timeout=20)
    assert report.read_text() == 3 * "crash\n"


async def test_a_dead_workers_workflow_and_its_members_are_taken_up_by_one_other(
    connection: JobsRedis, start_process: Any, tmp_path: Path
) -> None:
    """They are all suspects, and some of them wait for others."""
    workers = {"LEASE": "1", "LEASE_RENEWAL": "0.3"}
    first = await start_process(**workers)
    result = await chord([append.s(str(tmp_path / str(n)), "x", 0.5) for n in range(3)], log.s()).delay()
    plain = await parent.delay(2)
    await wait_until(lambda: (tmp_path / "2").exists(), "all members to run")
    first.process.kill()
    await start_process(**workers)

    assert await result.get(timeout=15) == [2, 2, 2]
    assert await plain.get(timeout=15) == 4


async def test_a_workflow_that_has_begun_does_not_expire(
    start_worker: StartWorker, connection: JobsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.1)
    await start_worker()
    result = await chain(log.s(1), log.s().set(countdown=1)).apply_async(expires=0.5)
    await wait_until(lambda: connection.hget(Keys.RECORD + result.id, "parked"), "the workflow to be parked")

    assert await result.get(timeout=5) == 1


async def test_a_revoked_workflow_can_be_begun_again(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker()
    flag, report = tmp_path / "flag", tmp_path / "report"
    result = await chain(append.s(str(report), "once"), log.s().set(countdown=0.5), read.si(str(flag))).delay()
    first, *_ = await result.children()
    await wait_until(lambda: _is(first, "SUCCESS"), "the first step to end")
    await result.revoke()
    flag.write_text("there now")

    assert await result.retry_failed()

    assert await result.get(timeout=5) == "there now"
    assert report.read_text() == "start once\nend once\n"


async def test_a_member_that_outlives_its_revoked_workflow_is_not_run_again(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    report = tmp_path / "report"
    result = await chain(append.s(str(report), "slow", 0.3), log.s()).delay()
    first, _ = await result.children()
    await wait_until(report.exists, "the first step to run")
    await result.revoke()
    await wait_until(lambda: _is(first, "SUCCESS"), "it to end by itself")

    assert await result.retry_failed()

    assert await result.get(timeout=5) == 1
    assert report.read_text() == "start slow\nend slow\n"


async def test_a_workflow_that_failed_tells_of_its_success_when_it_is_retried(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    flag, good, bad = tmp_path / "flag", tmp_path / "good", tmp_path / "bad"
    result = await chain(log.s(1), read.si(str(flag))).apply_async(
        link=append.si(str(good), "told"), link_error=note_error.s(str(bad))
    )
    with pytest.raises(FileNotFoundError):
        await result.get(timeout=5)
    await wait_until(bad.exists, "the error callback")
    flag.write_text("there now")

    assert await result.retry_failed()

    await wait_until(good.exists, "the callback")


async def test_the_id_of_a_forgotten_workflow_is_free_with_those_of_its_members(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker()
    report = tmp_path / "report"
    nightly = group(append.s(str(report), "run"), log.s(2))
    result = await nightly.apply_async(task_id="nightly")
    await result.get(timeout=5)
    await result.forget()

    again = await nightly.apply_async(task_id="nightly")

    assert await again.get(timeout=5) == [1, 2]
    assert report.read_text() == 2 * "start run\nend run\n"


async def test_results_too_large_for_a_message_are_read(start_worker: StartWorker) -> None:
    await start_worker()

    results = await (await group(large.s(size) for size in (10, 70_000)).delay()).get(timeout=10)

    assert [len(result) for result in results] == [10, 70_000]


async def test_what_came_to_a_member_in_an_earlier_run_is_not_taken(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Its message comes late: meanwhile the workflow was retried, and the journal has forgotten that end."""
    await start_worker()
    result = await chain(nap.s(0.5), log.s()).delay()
    [first, _] = await result.children()
    await wait_until(lambda: _is(first, "STARTED"), "the first step to run")

    listener = text(await connection.hget(Keys.RECORD + result.id, "listener"))
    late = [result.id, {"0": b"S" + encoding.dumps({"s": True, "r": "earlier"})}, "0"]
    assert await connection.publish(Keys.NEWS + listener, msgpack.packb(late, use_bin_type=False)) == 1

    assert await result.get(timeout=10) == "rested"


@pytest.fixture
async def redis_alone(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A server that the test may kill."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


async def test_a_workflow_outlives_a_redis_that_is_away(
    redis_alone: RedisServer, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at its journal all the while, and nothing of what it looks for can be had."""
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    async with connect(redis_alone.url):
        await start_worker(redis_url=redis_alone.url)
        result = await chain(nap.s(0.5), log.s()).delay()
        first, _ = await result.children()
        await wait_until(lambda: _is(first, "STARTED"), "the first step to run")

        redis_alone.kill9()
        await asyncio.sleep(4)
        redis_alone.start()

        assert await result.get(timeout=10) == "rested"


async def test_a_message_is_not_waited_for_that_was_lost_with_the_answer_of_redis(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of the workflow has ended the member itself: it gets the message with the answer."""
    run, lost = ScriptConnection.run, list[Any]()

    async def lose_one(self: ScriptConnection, script: Any, args: Sequence[Any]) -> Any:
        answer = await run(self, script, args)
        if script == "finish" and len(answer) == 2 and not lost:
            lost.append(answer)
            raise ConnectionError("it was cut")
        return answer

    monkeypatch.setattr(ScriptConnection, "run", lose_one)
    await start_worker()

    assert await (await chain(log.si("first"), log.si("second")).delay()).get(timeout=3) == "second"
    assert lost


@pytest.mark.parametrize("are_lost", [False, True])
async def test_messages_from_another_worker_are_heard_and_lost_ones_cost_no_more_than_a_look(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, start_worker: StartWorker, are_lost: bool
) -> None:
    """Where they are lost, the worker of the workflow listens where nobody speaks."""
    if are_lost:
        monkeypatch.setattr(orchestrator, "COMPARE_S", 0.3)
        monkeypatch.setitem(keys.NAMES, "NEWS", "jobs:nobody:")
    for queue in ("default", "other"):
        await start_worker(queues=[queue])

    result = await chain(*(nap.si(0.05).set(queue="other") for _ in range(4))).apply_async(queue="default")

    assert await result.get(timeout=4) == "rested"


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
