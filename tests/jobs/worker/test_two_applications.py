"""Workflows across two applications: each call goes to the queue of its own task, with that task's expiry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import Result, Signature, chain, chord, group, signature
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.workflows.canvas import Node
from tests.jobs.worker.applications import EXPIRES_S, tasks_of
from tests.jobs.worker.conftest import StartProcess
from tests.registered_tasks import forget
from tests.waiting import wait_until


def log(letter: str, *args: Any, **options: Any) -> Signature:
    return signature(f"{letter}.log", args, **options)


def add(letter: str, *args: Any) -> Signature:
    return signature(f"{letter}.add", args)


def told(name: str, path: Path) -> Signature:
    return signature(f"{name}.note", (str(path),), immutable=True)


SHAPES: dict[str, tuple[Callable[[], Node], Any]] = {
    "group": (lambda: group(log("a", 1), log("b", 2)), [1, 2]),
    "chain": (lambda: log("a", 1) | log("b") | log("a") | log("b"), 1),
    "the other way round": (lambda: log("b", 1) | log("a"), 1),
    "chord": (lambda: chord([log("a", 1), log("b", 2)], log("b")), [1, 2]),
    "nested": (lambda: group(group(log("b", 1)), log("a", 2) | group(log("b"), log("a"))), [1, [2, 2]]),
    "nothing before it": (lambda: chain(group(), log("b")), []),
    "map": (lambda: log("b").map([1, 2]), [1, 2]),
    "map in a chain": (lambda: log("a", 0) | add("b").starmap([(1, 2), (3, 4)]) | log("a"), [3, 7]),
    "chunks": (lambda: add("b").chunks([(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]),
    "a few at a time": (lambda: group([log("b", n) for n in range(5)], max_concurrency=2), [*range(5)]),
    "a named workflow": (lambda: group(log("a", 1), log("b", 2), task_id="named"), [1, 2]),
}


@pytest.fixture
async def applications(connection: JobsRedis, start_process: StartProcess) -> None:
    """Both are at work; nobody serves the default queue. This process knows the tasks of neither."""
    settings = "tests.jobs.worker.applications.WorkerSettings"
    await asyncio.gather(*(start_process(settings=settings, APPLICATION=letter) for letter in "ab"))
    await wait_until(lambda: _declared(connection), "both to say which tasks they have")


async def _declared(connection: JobsRedis) -> bool:
    return set(await connection.hmget(Keys.TASKS, "a.log", "b.log")).isdisjoint({None})  # type: ignore[misc]


@pytest.fixture
def known_here() -> Iterator[Callable[[], None]]:
    """Have this process know the tasks of both."""
    names: list[str] = []

    def know() -> None:
        names.extend(task.name for letter in "ab" for task in tasks_of(letter))

    yield know
    for name in names:
        forget(name)


async def test_each_call_goes_to_the_queue_of_its_task_whoever_makes_it(
    connection: JobsRedis, applications: None, known_here: Callable[[], None], tmp_path: Path
) -> None:
    for caller in ("asks Redis", "knows"):
        if caller == "knows":
            known_here()
            await connection.flushall()  # what workers have declared is not needed
        for shape, (build, value) in SHAPES.items():
            result = await build().delay()
            assert await result.get(timeout=10) == value, f"{shape}: {caller}"
            assert await result.forget() is None
        for number, call in enumerate(_called_back(tmp_path, caller)):
            await call.delay()
            path = tmp_path / f"{caller} {number}"
            await wait_until(path.exists, f"callback {number} where the caller {caller}")
        await _check_records(connection)


def _called_back(folder: Path, caller: str) -> Iterator[Node]:
    """Calls of `a` whose callbacks are of `b`, in each way to have some; each writes a file of its own number."""
    paths = (folder / f"{caller} {number}" for number in range(20))
    single = log("a", 1, queue="a", expires=EXPIRES_S)  # of a name alone, called by itself, nobody asks Redis
    yield single.set(link=told("b", next(paths)))
    yield single.set(link=log("a").set(link=told("b", next(paths))))
    yield single.set(link=group(log("a"), told("b", next(paths))))
    yield log("a", 1) | log("a").set(link=told("b", next(paths)))
    yield group(log("a", 1)).set(link=told("b", next(paths)))
    yield chain(group(log("a", 1)).set(link=told("b", next(paths))), log("a"))
    failing = signature("a.fail", ("x",), queue="a", expires=EXPIRES_S)
    for node in (failing, group(failing)):
        yield node.on_error(signature("b.note_error", (str(next(paths)),)))
    yield log("a").map([1]).set(link=told("b", next(paths)))


async def _check_records(connection: JobsRedis) -> None:
    """No job was ever put into another queue than its task's; all of them expire an hour after their own call."""
    assert await connection.smembers(Keys.QUEUES) <= {b"a", b"b"}  # type: ignore[misc]
    found = 0
    async for key in connection.scan_iter(f"{Keys.RECORD}*"):
        task, queue, enqueued, expires = await connection.hmget(  # type: ignore[misc]
            key, ["task", "queue", "enqueued", "expires"]
        )
        if not task.startswith((b"jobs.workflow", b"jobs.named_workflow")):
            assert int(float(expires)) - int(enqueued) == EXPIRES_S * 1000, key
        if not task.startswith(b"jobs."):
            assert queue == task[:1], key
            found += 1
    assert found > 30


async def test_what_was_given_wins_and_a_retry_changes_nothing(
    connection: JobsRedis, applications: None, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    step = signature("b.read", (str(missing),), immutable=True, expires=60)
    result: Result = await chain(log("a", 1), step, log("b").set(queue="a", expires=5)).delay()
    with pytest.raises(FileNotFoundError):
        await result.get(timeout=10)
    missing.write_text("there now")

    assert await result.retry_failed()

    second, third = (await result.children())[1:]
    await wait_until(lambda: connection.exists(Keys.RECORD + third.id), "the last step to be called")
    for member, queue, expires_ms in ((second, b"b", 60_000), (third, b"a", 5000)):
        record = await connection.hmget(Keys.RECORD + member.id, ["queue", "enqueued", "expires"])  # type: ignore[misc]
        assert record[0] == queue
        assert int(float(record[2])) - int(record[1]) == expires_ms
