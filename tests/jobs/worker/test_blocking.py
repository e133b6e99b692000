"""Plain tasks that call by `.blocking`: nothing is lost, nothing hangs, and a thread that waits frees its slot."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs.client.connection import JobsRedis
from jobs.errors import NotAwaited, NotConnected, TaskRevoked, TimeLimitExceeded
from jobs.worker import Worker
from jobs.worker.execution.slots import Slot, Slots
from tests.jobs.worker import blocking_tasks as tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker, stop_at_once
from tests.waiting import wait_until

T = 20
SETTINGS = "tests.jobs.worker.blocking_tasks.WorkerSettings"


@pytest.fixture(autouse=True)
def nothing_met() -> None:
    tasks.met.clear()
    tasks.go_on.clear()


def counts(worker: Worker) -> tuple[int, int]:
    """The jobs that it holds, and how many of them use a slot."""
    now = worker.statistics()
    return now.running, now.busy


async def ended(results: list[Any]) -> list[Any]:
    return [await result.get(timeout=2 * T) for result in results]


async def test_ten_parents_wait_for_two_children_each_in_two_slots(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    await start_process(settings=SETTINGS)

    results = await tasks.parent.apply_many([(n,) for n in range(10)])
    more = await tasks.waits_for_all.apply_many([(n,) for n in range(10)])

    assert await ended(results) == [3 * n for n in range(10)]
    assert await ended(more) == [6 * n + 1 for n in range(10)]
    assert await results[3].meta() == "parent 3"


async def test_parents_of_a_killed_worker_end_right_on_another(
    connection: JobsRedis, start_process: StartProcess, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    first = await start_process(settings=SETTINGS)
    results = await tasks.parent.apply_many([(n, str(runs), 0.7) for n in range(2)])
    await wait_until(lambda: len(list(runs.iterdir())) == 2, "all parents to wait")

    first.process.send_signal(signal.SIGKILL)
    second = await start_process(settings=SETTINGS)

    assert await ended(results) == [3 * n for n in range(2)]
    pids = [int(path.name.partition("-")[2]) for path in runs.iterdir()]
    assert pids.count(first.process.pid) == pids.count(second.process.pid) == 2


@pytest.mark.parametrize("case", tasks.CASES)
async def test_a_call_inherits_what_an_awaited_one_does(case: str, start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL, queues=["default", "later"], middleware=[tasks.Noting()], max_jobs=2)

    awaited, blocking = [
        await (await calls.apply_async((case,), headers={"from": "web"}, eta=tasks.LONG_AGO)).get(timeout=T)
        for calls in (tasks.calls_awaited, tasks.calls_blocking)
    ]

    assert awaited == blocking
    assert "ann" in str(awaited)
    assert "'by': 'web', 'of': 'its code'" in str(awaited)
    assert ("1577836" in str(awaited)) == (case != "a countdown")


async def test_many_calls_inherit_the_same(start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL, max_jobs=2)

    awaited, blocking = [
        await (await calls.apply_async(eta=tasks.LONG_AGO)).get(timeout=T)
        for calls in (tasks.many_awaited, tasks.many_blocking)
    ]

    assert awaited == blocking
    assert len(awaited) == 2


async def test_at_most_three_threads_for_each_slot_wait_without_it(
    start_worker: StartWorker, connection: JobsRedis
) -> None:
    """Their jobs are those of a queue that this worker does not serve."""
    worker = await start_worker(tasks=[*tasks.ALL, tasks.later], max_jobs=2)
    results = await tasks.waits_for_later.apply_many([(n,) for n in range(10)])
    await wait_until(lambda: counts(worker) == (8, 2), f"8 jobs in 2 slots: {worker.statistics()}")

    await start_worker(tasks=[*tasks.ALL, tasks.later], queues=["later"])

    assert await ended(results) == list(range(10))
    await wait_until(lambda: counts(worker) == (0, 0), "the last job")


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_each_thread_that_has_waited_makes_room_for_another(is_stopped: bool) -> None:
    slots, jobs_end = Slots(1), asyncio.Event()
    waits = []
    for _ in range(4):
        slot = Slot(slots)
        waits.append(asyncio.create_task(slot.free_while(jobs_end.wait(), in_thread=True)))
        waits[-1].add_done_callback(lambda _, slot=slot: slot.end())  # type: ignore[misc]
        await asyncio.sleep(0)
    assert (slots.waiting_threads, slots.used) == (3, 1)

    for wait in waits if is_stopped else []:
        wait.cancel()
    jobs_end.set()
    await asyncio.wait(waits)

    assert (slots.waiting_threads, slots.used) == (0, 0)


@pytest.fixture
async def waiting(start_worker: StartWorker, connection: JobsRedis) -> tuple[Worker, Any]:
    """A worker, and a job whose thread waits for another job."""
    worker = await start_worker(tasks=[*tasks.ALL, tasks.later], max_jobs=2)
    result = await tasks.stopped.delay()
    await wait_until(lambda: counts(worker) == (1, 0), "the thread to wait")
    return worker, result


async def test_a_worker_that_stops_releases_a_job_whose_thread_waits(
    waiting: tuple[Worker, Any], connection: JobsRedis
) -> None:
    worker, result = waiting

    async with asyncio.timeout(3):
        await stop_at_once(worker)

    assert await result.state() == "PENDING"
    assert await connection.hmget(f"jobs:job:{result.id}", "attempts", "retries") == [b"0", None]
    assert tasks.met == ["CancelledError", "CancelledError"]


async def test_a_revoked_job_ends_where_its_thread_waits(waiting: tuple[Worker, Any], redis: Redis) -> None:
    worker, result = waiting

    await result.revoke(terminate=True)

    with pytest.raises(TaskRevoked):
        await result.get(timeout=T)
    await wait_until(lambda: counts(worker) == (0, 0) and not worker.engine.tasks, "the thread to end")  # type: ignore[union-attr]
    assert tasks.met == ["CancelledError", "CancelledError"]
    assert await redis.zcard("arq:queue:later") == 1


async def test_a_thread_that_outlives_its_job_can_call_no_more(start_worker: StartWorker, redis: Redis) -> None:
    worker = await start_worker(tasks=tasks.ALL, max_jobs=2)

    with pytest.raises(TimeLimitExceeded):
        await (await tasks.outlives.delay()).get(timeout=T)
    tasks.go_on.set()

    await wait_until(lambda: tasks.met, "the thread to go on")
    assert tasks.met == ["CancelledError"]
    assert worker.statistics().started == 1
    assert await redis.zcard("arq:queue") == 0


@pytest.mark.timeout(120)
async def test_a_task_in_a_process_calls_once_it_is_connected_and_does_not_wait(
    redis_url: str, start_worker: StartWorker
) -> None:
    await start_worker(tasks=tasks.ALL, max_jobs=2)

    for _ in range(3):
        with pytest.raises(NotConnected, match=r"blocking\.connect\("):
            await (await tasks.in_process.delay("", False)).get(timeout=3 * T)
    results = await tasks.in_process.apply_many([(redis_url, False)] * 10)
    ids = [await result.get(timeout=3 * T) for result in results]
    assert [await tasks.multiply.result(job_id).get(timeout=T) for job_id in ids] == [42] * 10
    with pytest.raises(NotAwaited, match=r"get\(\): the process of 'blocking.in_process' \(process=True\) may call"):
        await (await tasks.in_process.delay(redis_url, True)).get(timeout=T)
    with pytest.raises(NotAwaited, match=r"process=True cannot report"):
        await (await tasks.reports_in_process.delay()).get(timeout=T)


@pytest.mark.parametrize("task", [tasks.own_thread, tasks.forks], ids=lambda task: task.name)
async def test_threads_and_processes_of_a_task_call_too(task: Any, start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL, max_jobs=2)

    assert await (await task.delay()).get(timeout=T) == 42


async def test_a_thread_of_an_async_task_frees_the_slot_of_its_job(start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL, max_jobs=1)

    assert await (await tasks.through_a_thread.delay()).get(timeout=T) == 42


async def test_a_plain_task_that_is_awaited_here_calls_workers(start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL, max_jobs=1)

    assert await tasks.parent(3) == 9
