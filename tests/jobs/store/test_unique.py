"""Unique tasks in Redis, beside a model of them in plain Python."""

from __future__ import annotations

import pytest

from jobs import connect
from tests.jobs.store.unique_model import TASKS, Model


@pytest.mark.parametrize("kind", TASKS)
async def test_redis_does_what_the_model_does(redis_url: str, kind: str) -> None:
    async with connect(redis_url) as redis:
        for seed in range(6):
            await redis.flushall()
            model = Model(redis, kind, seed)
            await model.begin()
            for _ in range(120):
                await model.step()
            await model.end()
