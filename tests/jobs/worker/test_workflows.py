"""Workflows on workers: what `group`, `chain` and `chord` give, and what happens when something fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from jobs import Result, chain, chord, group
from jobs.client.connection import JobsRedis
from jobs.errors import TaskRevoked
from jobs.store.call import Call
from jobs.store.keys import Keys
from jobs.worker import orchestrator
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import append, fail, log, multiply, nap, note_error, read
from tests.waiting import wait_until


async def test_a_group_gives_the_list_of_results_in_the_order_given(start_worker: StartWorker) -> None:
    await start_worker()

    result = await group(multiply.s(i, i + 5) for i in range(10)).delay()

    assert await result.get(timeout=10) == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_the_first_of_many_members_run_while_the_rest_is_on_its_way(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Redis is slow here: it takes the next calls only once a member of the first has run."""
    monkeypatch.setattr(orchestrator, "SENT_TOGETHER", 2)
    ran, enqueue, sizes = tmp_path / "ran", JobsRedis.enqueue, list[int]()

    async def slow(self: JobsRedis, calls: Sequence[Call]) -> list[int]:
        if calls[0].parent:
            sizes.append(len(calls))
            await wait_until(lambda: len(sizes) == 1 or ran.exists(), "a member of the first to run")
        return await enqueue(self, calls)

    monkeypatch.setattr(JobsRedis, "enqueue", slow)
    await start_worker()

    result = await group(append.s(str(ran), str(number)) for number in range(5)).delay()

    assert await result.get(timeout=10) == [1] * 5
    assert sizes == [2, 2, 1]


async def test_a_chain_hands_each_result_on(start_worker: StartWorker) -> None:
    await start_worker()

    assert await (await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20)).delay()).get(timeout=10) == 8000
    assert await (await (multiply.s(10) | multiply.s(2)).delay(16)).get(timeout=10) == 320
    nested = multiply.s(10) | multiply.s(2) | (multiply.s(4) | multiply.s(5))
    assert await (await nested.delay(16)).get(timeout=10) == 6400


async def test_a_chord_calls_its_body_with_the_list(start_worker: StartWorker) -> None:
    await start_worker()
    header = [multiply.s(i, i + 5) for i in range(10)]

    result = await chord(group(header), log.s()).delay()

    assert await result.get(timeout=10) == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_a_member_that_fails_fails_the_whole(start_worker: StartWorker) -> None:
    await start_worker()

    result = await chord([multiply.s(1, 1), fail.s("broken")], log.s()).delay()

    with pytest.raises(ValueError, match="broken"):
        await result.get(timeout=10)


async def test_link_calls_back_with_the_result(connection: JobsRedis, start_worker: StartWorker) -> None:
    await start_worker()

    result = await multiply.apply_async((4, 4), link=multiply.s(4))

    assert await result.get(timeout=5) == 16
    [callback] = await result.children()
    assert await callback.get(timeout=5) == 64


async def test_a_callback_that_cannot_be_called_leaves_the_others(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    await start_worker()
    several = [multiply.s(4, 4), log.s(), multiply.s(4, 4, 4), log.si("last")]

    well = await multiply.apply_async((4, 4), link=several)
    badly = await fail.apply_async(link_error=[multiply.s(), *several])

    assert await well.get(timeout=5) == 16
    assert await Result(f"{well.id}::-1.1").get(timeout=5) == 16
    assert await Result(f"{well.id}::-1.3").get(timeout=5) == "last"
    assert isinstance(await badly.get(timeout=5, propagate=False), ValueError)
    assert await Result(f"{badly.id}::-2.4").get(timeout=5) == "last"


async def test_revoking_a_workflow_revokes_all_its_parts(connection: JobsRedis, start_worker: StartWorker) -> None:
    worker = await start_worker()
    result = await chain(group(nap.s(60), nap.s(60)), log.s()).delay()
    children = await result.children()
    assert len(children) == 3
    await wait_until(lambda: _states(children[:2], "STARTED"), "the group to run")

    await result.revoke(terminate=True)

    with pytest.raises(TaskRevoked):
        await result.get(timeout=5)
    await wait_until(lambda: _states(children[:2], "REVOKED"), "the running members to be stopped")
    assert await children[2].state() == "UNKNOWN"
    await wait_until(lambda: worker.statistics().running == 0, "nothing to be left")


async def _states(results: list[Result], state: str) -> bool:
    return {await result.state() for result in results} == {state}


async def test_a_failed_workflow_goes_on_from_what_failed(
    start_worker: StartWorker, tmp_path: Path, connection: JobsRedis
) -> None:
    await start_worker()
    log_file, flag = tmp_path / "log", tmp_path / "flag"
    good = append.s(str(log_file), "good")
    result = await chord([good, read.s(str(flag))], log.s()).delay()
    with pytest.raises(FileNotFoundError):
        await result.get(timeout=5)
    assert not await Result("nobody").retry_failed()

    flag.write_text("there now")
    assert await result.retry_failed()

    assert await result.get(timeout=5) == [1, "there now"]
    assert log_file.read_text() == "start good\nend good\n"
    assert not await result.retry_failed()


async def test_progress_of_a_workflow_counts_its_members(start_worker: StartWorker) -> None:
    await start_worker()
    result = await group(nap.s(0.01 * i) for i in range(30)).delay()

    seen = [meta async for meta in result.progress()]

    assert seen[-1] == {"done": 30, "failed": 0, "total": 30}


async def test_progress_does_not_stay_behind_while_nothing_more_ends(start_worker: StartWorker) -> None:
    """Both end within the time in which one report is made."""
    await start_worker()
    result = await group(log.s(1), nap.s(0.05), nap.s(60)).delay()

    async def two_are_done() -> bool:
        return bool(await result.meta() == {"done": 2, "failed": 0, "total": 3})

    await wait_until(two_are_done, "the second report")


async def test_progress_of_a_workflow_that_was_parked_is_told_when_it_is_taken_up(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.1)
    await start_worker()
    result = await group(nap.s(1), nap.s(60)).delay()

    async def one_is_done() -> bool:
        return bool(await result.meta() == {"done": 1, "failed": 0, "total": 2})

    await wait_until(one_is_done, "the report")


async def test_link_error_of_a_workflow_is_called_once(start_worker: StartWorker, tmp_path: Path) -> None:
    await start_worker()
    report = tmp_path / "errors"
    result = await chord([fail.s("one"), fail.s("two")], log.s()).apply_async(link_error=note_error.s(str(report)))

    with pytest.raises(ValueError, match="one"):
        await result.get(timeout=5)

    await wait_until(report.exists, "the error callback")
    assert report.read_text() == "jobs.workflow ValueError('one')\n"


async def test_many_workflows_on_one_slot_do_not_block_each_other(start_worker: StartWorker) -> None:
    await start_worker(max_jobs=1)

    results = [await chord([multiply.s(i, 2), multiply.s(i, 3)], log.s()).delay() for i in range(20)]

    assert [await result.get(timeout=20) for result in results] == [[2 * i, 3 * i] for i in range(20)]


async def test_a_workflow_that_has_begun_ends_before_later_calls_begin(
    connection: JobsRedis, start_worker: StartWorker, tmp_path: Path
) -> None:
    """A later call runs only while the one slot has nothing older to do: as the next step is being enqueued."""
    report = tmp_path / "report"
    header = [append.si(str(report), "member", 0.05) for _ in range(3)]
    result = await chord(header, append.si(str(report), "body")).delay()
    await append.apply_many([(str(report), "later", 0.05) for _ in range(10)])

    await start_worker(max_jobs=1)
    await result.get(timeout=10)

    started = [line for line in report.read_text().splitlines() if line.startswith("start")]
    before = started[: started.index("start body")]
    assert before.count("start member") == 3
    assert before.count("start later") <= 2


async def test_a_member_stands_before_whatever_was_called_after_its_workflow(
    connection: JobsRedis, start_worker: StartWorker
) -> None:
    """Also before what was called in the very same millisecond: that has its place within the millisecond before."""
    result = await group(nap.si(0.3), nap.si(0.3)).delay()
    due = int(await connection.hget(Keys.RECORD + result.id, "due"))

    await start_worker(max_jobs=1)
    waits = await wait_until(
        lambda: connection.zscore(Keys.QUEUE, f"{result.id}:1"), "the second member to wait for the slot"
    )

    assert waits <= due - 1
    await result.get(timeout=10)


async def test_with_too_many_workflows_idle_ones_are_parked_early(
    connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "MANY_WORKFLOWS", 2)
    await start_worker()
    results = [await chain(log.s(n), log.s().set(countdown=3)).delay() for n in range(5)]

    async def three_are_parked() -> bool:
        return sum([await connection.hexists(Keys.RECORD + result.id, "parked") for result in results]) >= 3

    await wait_until(three_are_parked, "all but two to be parked")
    assert [await result.get(timeout=10) for result in results] == list(range(5))


async def test_an_idle_workflow_is_parked_and_taken_up_again(
    connection: JobsRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "COMPARE_S", 0.05)
    monkeypatch.setattr(orchestrator, "PARK_AFTER_S", 0.1)
    worker = await start_worker()
    result = await chain(multiply.s(2, 2), log.s().set(countdown=1)).delay()
    await wait_until(lambda: connection.hget(f"jobs:job:{result.id}", "parked"), "the workflow to be parked")

    await wait_until(lambda: worker.statistics().running == 0, "no slot to be held")
    assert await result.state() == "STARTED"
    assert -1 == await connection.ttl(f"jobs:tree:{result.id}") == await connection.ttl(f"jobs:journal:{result.id}")
    assert await result.get(timeout=5) == 4


async def test_the_children_of_a_job_are_its_callbacks(start_worker: StartWorker) -> None:
    await start_worker()

    result = await multiply.apply_async((4, 4), link=[multiply.s(4), log.s()])
    await result.get(timeout=5)

    [by_four, logged] = await result.children()
    assert (await by_four.get(timeout=5), await logged.get(timeout=5)) == (64, 16)
    assert await by_four.children() == []
