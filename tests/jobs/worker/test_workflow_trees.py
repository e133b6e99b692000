"""Random workflows on a worker: what they give is what plain Python gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import chain
from jobs.workflows.canvas import Node
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.workflow_models import built, constant, models, plain, tag

A_FEW = st.lists(st.tuples(models, st.randoms(use_true_random=False)), min_size=1, max_size=8)


async def test_random_workflows_give_what_plain_python_gives(start_worker: StartWorker) -> None:
    """Several at a time on few slots; one worker for all of them."""

    async def check(tree: Node, model: Any) -> None:
        result = await tree.delay("start")
        assert await result.get(timeout=20) == plain(model, "start")

    await check_many(start_worker, check, 100)


async def test_random_workflows_give_each_member_once_as_it_ends(start_worker: StartWorker) -> None:
    async def check(tree: Node, model: Any) -> None:
        result = await chain(tree).delay("start")
        async with asyncio.timeout(20):
            given = [part.id async for part in result.as_completed()]
        assert sorted(given) == sorted(part.id for part in await result.children())

    await check_many(start_worker, check, 30)


async def check_many(start_worker: StartWorker, check: Callable[[Node, Any], Any], max_examples: int) -> None:
    await start_worker(tasks=[tag, constant], max_jobs=3)
    loop = asyncio.get_running_loop()

    async def run(workflows: list[tuple[Any, Random]]) -> None:
        trees = [(built(model, rng), model) for model, rng in workflows]
        await asyncio.gather(*(check(tree, model) for tree, model in trees))

    @settings(max_examples=max_examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(A_FEW)
    def examples(workflows: list[tuple[Any, Random]]) -> None:
        asyncio.run_coroutine_threadsafe(run(workflows), loop).result(30)

    await asyncio.to_thread(examples)
