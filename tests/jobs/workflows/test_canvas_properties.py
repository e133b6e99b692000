"""What holds for every workflow, however it is built: against plain Python, in any order of events."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs import Signature, group, task
from jobs.workflows.canvas import Node, evaluate
from jobs.workflows.stored_tree import from_dict
from tests.jobs.workflow_models import built, models, plain, tag

# A model is ("tag", n), ("constant", n), ("all", models) or ("then", models), all at once and one after the other.


any_order = st.randoms(use_true_random=False)


class Queue:
    """Calls wait here and are answered in random order, as on workers. `journal`: path -> (call, result)."""

    def __init__(self, rng: Random, journal: dict[tuple[int, ...], Any] | None = None) -> None:
        self.rng = rng
        self.journal = {} if journal is None else journal
        self.waiting: list[tuple[tuple[int, ...], Signature, asyncio.Future[Any]]] = []
        self.called: list[tuple[int, ...]] = []
        self.called_again = asyncio.Event()

    def call(self, signature: Signature, path: tuple[int, ...]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.called.append(path)
        if path in self.journal:
            call, result = self.journal[path]
            assert call == signature, "a replay made another call under the same path"
            future.set_result(result)
        else:
            self.waiting.append((path, signature, future))
            self.called_again.set()
        return future

    async def wait_for_a_call(self, whole: asyncio.Future[Any]) -> None:
        self.called_again.clear()
        if not self.waiting:
            again = asyncio.ensure_future(self.called_again.wait())
            await asyncio.wait([whole, again], return_when=asyncio.FIRST_COMPLETED)
            again.cancel()

    async def run(self, tree: Node, value: Any, stop_after: int | None = None) -> Any:
        """Evaluate; with *stop_after*, only until so many calls were answered, as if the process then died."""
        whole = asyncio.ensure_future(evaluate(tree, (value,), call=self.call))
        answered = 0
        while not whole.done() and answered != stop_after:
            await self.wait_for_a_call(whole)
            if self.waiting:
                path, signature, future = self.waiting.pop(self.rng.randrange(len(self.waiting)))
                result = await signature()
                self.journal[path] = (signature, result)
                future.set_result(result)
                answered += 1
        if whole.done():
            return whole.result()
        whole.cancel()
        await asyncio.wait([whole])
        return None


@example(("all", [("then", [("all", []), ("then", [])])]), Random(0))
@given(models, any_order)
async def test_a_workflow_gives_what_plain_python_gives(model, rng):
    tree = built(model, rng)

    assert await tree("start") == plain(model, "start")
    assert await Queue(rng).run(tree, "start") == plain(model, "start")


@given(models, any_order)
async def test_no_two_calls_have_the_same_path(model, rng):
    queue = Queue(rng)

    await queue.run(built(model, rng), "start")

    assert len(set(queue.called)) == len(queue.called)


@given(models, any_order, st.integers(0, 20))
async def test_an_interrupted_evaluation_can_be_replayed(model, rng, stop_after):
    """Each call that was answered before is made again in the same words, and no other is made twice."""
    tree = built(model, rng)
    first = Queue(rng)
    await first.run(tree, "start", stop_after)

    replayed = await Queue(rng, first.journal).run(from_dict(tree.to_dict()), "start")

    assert replayed == plain(model, "start")


@given(models, any_order)
async def test_a_workflow_comes_back_from_json_as_it_was(model, rng):
    tree = built(model, rng).set(link=built(model, rng)).clone((1,), {"key": [2]})

    assert from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


@given(models, any_order, st.integers(1, 3))
async def test_a_limit_on_members_changes_no_result(model, rng, limit):
    tree = group(built(model, rng), built(model, rng))

    assert await Queue(rng).run(tree.set(max_concurrency=limit), "start") == await tree("start")


async def test_members_that_are_calls_cost_no_asyncio_task():
    futures: list[asyncio.Future[Any]] = []
    all_called = asyncio.Event()

    def call(signature: Signature, path: tuple[int, ...]) -> asyncio.Future[Any]:
        futures.append(asyncio.get_running_loop().create_future())
        if len(futures) == 10_000:
            all_called.set()
        return futures[-1]

    tasks_before = len(asyncio.all_tasks())
    whole = asyncio.ensure_future(evaluate(group(tag.s(n) for n in range(10_000)), (0,), call=call))
    await all_called.wait()

    assert len(asyncio.all_tasks()) == tasks_before + 1
    for n, future in enumerate(futures):
        future.set_result(n)
    assert await whole == list(range(10_000))


@pytest.mark.parametrize("options", [{}, {"max_concurrency": 2}])
async def test_a_cancelled_workflow_leaves_nothing_behind(options):
    before = asyncio.all_tasks()
    begun = asyncio.Event()

    @task(name="tests.canvas.wait")
    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    inner = group(wait.si(), wait.si() | wait.si())
    whole = asyncio.ensure_future(evaluate(group(inner | tag.s(1), wait.si(), **options)))
    await begun.wait()
    whole.cancel()
    await asyncio.wait([whole])

    assert whole.cancelled()
    assert asyncio.all_tasks() == before


async def test_the_first_error_in_order_is_raised_not_the_first_in_time():
    second_failed = asyncio.Event()

    @task(name="tests.canvas.fail")
    async def fail(n: int) -> None:
        if n == 1:
            await second_failed.wait()
        second_failed.set()
        raise ValueError(n)

    with pytest.raises(ValueError, match="1"):
        await group(fail.s(1), fail.s(2))()


async def test_an_error_that_a_task_returns_is_a_result():
    @task(name="tests.canvas.returns_error")
    async def returns_error() -> Exception:
        return ValueError("only looked at")

    [error] = await group(returns_error.s())()

    assert str(error) == "only looked at"


@pytest.mark.parametrize("limit", [0, -1, "many", 2.5])
def test_a_limit_that_is_no_number_of_members_is_refused(limit):
    with pytest.raises((TypeError, ValueError), match="max_concurrency="):
        group([], max_concurrency=limit)
