"""Limits by key whatever happens: never exceeded, nobody waits for nothing, and nothing is left."""

from __future__ import annotations

import pytest

from jobs import connect
from tests.jobs.store.limits_walk import walk


@pytest.mark.parametrize("seed", range(4))
async def test_a_walk(redis_url: str, seed: int) -> None:
    async with connect(redis_url) as redis:
        await walk(redis, seed, steps=40)
