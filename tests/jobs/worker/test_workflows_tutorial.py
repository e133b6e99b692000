"""A tutorial of workflows: read it from top to bottom. docs/workflows.md says how they work."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs import Result, chain, chord, current_job, first, group, task
from jobs.errors import TaskRevoked
from jobs.tasks.current import CurrentJob
from tests.jobs.worker.conftest import StartWorker
from tests.waiting import wait_until


@task(name="tutorial.multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="tutorial.total")
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@task(name="tutorial.read")
async def read(path: str) -> str:
    return Path(path).read_text()


@task(name="tutorial.note")
async def note(text: object, path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


@task(name="tutorial.note_error")
async def note_error(request: object, error: Exception, traceback: str, path: str) -> None:
    await note(repr(error), path)


@task(name="tutorial.report")
async def report(n: int) -> int:
    """A task may call a whole workflow and wait for it. The task's slot is free meanwhile."""
    squares = await group(multiply.s(i, i) for i in range(n)).delay()
    return sum(await squares.get())


@task(name="tutorial.meet")
async def meet() -> int:
    """Return how many jobs of this task run at the same time."""
    here.add(current_job())
    await asyncio.sleep(0.05)
    together = len(here)
    here.discard(current_job())
    return together


here: set[CurrentJob] = set()
TASKS = [multiply, total, read, note, note_error, report, meet]


@pytest.fixture(autouse=True)
async def worker(start_worker: StartWorker) -> None:
    """One worker with one slot: enough for every workflow on this page."""
    await start_worker(tasks=TASKS, max_jobs=1)


async def test_1_a_signature_is_a_call_to_make_later() -> None:
    call = multiply.s(4, 4)

    assert await call() == 16  # here, in this process
    assert await (await call.delay()).get() == 16  # on a worker


async def test_2_new_arguments_go_before_those_of_the_signature() -> None:
    assert repr(multiply.s(2).clone((10,))) == "tutorial.multiply(10, 2)"
    assert await (await multiply.s(2).delay(10)).get() == 20


async def test_3_a_group_runs_its_members_at_once_and_returns_a_list() -> None:
    result = await group(multiply.s(i, i + 5) for i in range(10)).delay()

    assert await result.get() == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_4_a_chain_passes_each_result_to_the_next_step() -> None:
    assert await (await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20)).delay()).get() == 8000
    assert await (await (multiply.s(10) | multiply.s(2)).delay(16)).get() == 320


async def test_5_an_immutable_signature_ignores_the_previous_result() -> None:
    assert await (await (multiply.s(10, 10) | multiply.si(2, 2)).delay()).get() == 4


async def test_6_a_chord_calls_its_body_with_the_list_of_results() -> None:
    header = [multiply.s(i, 2) for i in range(4)]

    assert await (await chord(header, total.s()).delay()).get() == 12
    assert await (await (group(header) | total.s()).delay()).get() == 12  # the same chord


async def test_7_groups_chains_and_chords_nest() -> None:
    row = multiply.s(2) | group(multiply.s(3), multiply.s(4)) | total.s()

    assert await (await (group(row, row) | total.s()).delay(10)).get() == 2 * (60 + 80)


async def test_8_map_starmap_and_chunks_make_one_job_of_many_calls() -> None:
    assert await (await multiply.s(2).map([1, 2, 3]).delay()).get() == [2, 4, 6]
    assert await (await multiply.starmap([(1, 2), (3, 4)]).delay()).get() == [2, 12]
    assert await (await multiply.chunks([(i, i) for i in range(5)], 2).delay()).get() == [[0, 1], [4, 9], [16]]


async def test_9_a_workflow_is_called_with_options_like_a_task() -> None:
    result = await chain(multiply.s(2, 2), multiply.s(3)).apply_async(task_id="nightly", countdown=0.05)

    assert result == Result("nightly")
    assert await result.get() == 12
    assert await result.state() == "SUCCESS"


async def test_10_the_members_of_a_workflow_are_jobs_with_ids() -> None:
    result = await chord([multiply.s(1, 1), multiply.s(2, 2)], total.s()).apply_async(task_id="w")
    await result.get()

    assert [child.id for child in await result.children()] == ["w::0.0", "w::0.1", "w::1"]
    assert [await child.get() for child in await result.children()] == [1, 4, 5]
    assert await result.meta() == {"done": 3, "failed": 0, "total": 3}


async def test_11_a_group_fails_with_its_first_error_once_all_have_ended(tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    result = await group(read.s(str(tmp_path / "no such file")), note.s("ran", str(noted))).delay()

    with pytest.raises(FileNotFoundError):
        await result.get()
    assert noted.read_text() == "ran\n"


async def test_12_a_group_can_return_errors_in_its_list(tmp_path: Path) -> None:
    members = [multiply.s(2, 2), read.s(str(tmp_path / "no such file"))]

    four, error = await (await group(members, return_exceptions=True).delay()).get()

    assert four == 4
    assert isinstance(error, FileNotFoundError)


async def test_13_callbacks_get_the_result_or_the_error(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    await chain(multiply.s(2, 2), multiply.s(2)).apply_async(link=note.s(str(good)))
    await chain(multiply.s(1, "x"), total.s()).apply_async(link_error=note_error.s(str(bad)))

    await wait_until(lambda: good.exists() and bad.exists(), "both callbacks")
    assert good.read_text() == "8\n"
    assert bad.read_text().startswith("TypeError")


async def test_14_retry_failed_runs_failed_members_again_and_keeps_other_results(tmp_path: Path) -> None:
    noted, flag = tmp_path / "noted", tmp_path / "flag"
    result = await group(note.s("once", str(noted)), read.s(str(flag))).delay()
    with pytest.raises(FileNotFoundError):
        await result.get()

    flag.write_text("there now")

    assert await result.retry_failed()
    assert await result.get() == [None, "there now"]
    assert noted.read_text() == "once\n"


async def test_15_revoking_a_workflow_revokes_members_that_have_not_started(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    result = await chain(multiply.s(2, 2), note.s(str(noted)).set(countdown=3600)).delay()
    _, second = await result.children()
    await wait_until(lambda: _is(second, "PENDING"), "the second step to wait")

    await result.revoke()

    with pytest.raises(TaskRevoked):
        await result.get()
    assert await second.state() == "REVOKED"


async def test_16_max_concurrency_limits_how_many_members_run_at_once(start_worker: StartWorker) -> None:
    await start_worker(tasks=TASKS, max_jobs=10)

    result = await group((meet.si() for _ in range(12)), max_concurrency=3).delay()

    assert max(await result.get()) == 3


async def test_17_a_task_may_call_a_workflow_and_wait_for_it() -> None:
    assert await (await report.delay(4)).get() == 0 + 1 + 4 + 9


async def test_18_as_completed_yields_members_as_they_end() -> None:
    result = await group(multiply.s(n, n).set(countdown=(3 - n) / 10) for n in range(3)).delay()

    assert [await part.get() async for part in result.as_completed()] == [4, 1, 0]


async def test_19_first_returns_the_first_success_and_revokes_the_others(tmp_path: Path) -> None:
    broken = await read.delay(str(tmp_path / "no such file"))
    slow = await (multiply.s(1, 1) | multiply.s(1).set(countdown=3600)).delay()

    assert await first([broken, slow, await multiply.delay(4, 4)]) == 16
    assert await slow.state() == "REVOKED"


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
