"""Workflows on workers: what `group`, `chain` and `chord` give, and what happens when something fails."""

from __future__ import annotations

import pytest

from jobs import chain, chord, group
from jobs.connection import JobsRedis
from tests.jobs.worker.conftest import StartWorker
from tests.jobs.worker.tasks import fail, log, multiply


async def test_a_group_gives_the_list_of_results_in_the_order_given(start_worker: StartWorker) -> None:
    await start_worker()

    result = await group(multiply.s(i, i + 5) for i in range(10)).delay()

    assert await result.get(timeout=10) == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_a_chain_hands_each_result_on(start_worker: StartWorker) -> None:
    await start_worker()

    assert (
        await (await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20)).delay()).get(timeout=10) == 8000
    )
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
    from jobs import Result

    assert await Result(f"{result.id}:0").get(timeout=5) == 64
