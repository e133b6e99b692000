"""Random workflows on a worker: what they give is what plain Python gives."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import Result
from tests.jobs.test_canvas_properties import built, constant, models, plain, tag
from tests.jobs.worker.conftest import StartWorker

A_FEW = st.lists(st.tuples(models, st.randoms(use_true_random=False)), min_size=1, max_size=8)


async def test_random_workflows_give_what_plain_python_gives(start_worker: StartWorker) -> None:
    """Several at a time on few slots; one worker for all of them."""
    await start_worker(tasks=[tag, constant], max_jobs=3)

    async def run(workflows: list[tuple[Any, Random]]) -> None:
        trees = [built(model, rng) for model, rng in workflows]
        results: list[Result] = await asyncio.gather(*(tree.delay("start") for tree in trees))
        given_back = await asyncio.gather(*(result.get(timeout=20) for result in results))
        assert given_back == [plain(model, "start") for model, _ in workflows]

    loop = asyncio.get_running_loop()

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(A_FEW)
    def examples(workflows: list[tuple[Any, Random]]) -> None:
        asyncio.run_coroutine_threadsafe(run(workflows), loop).result(30)

    await asyncio.to_thread(examples)
