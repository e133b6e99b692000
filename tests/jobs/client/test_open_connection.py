"""`open_connection()`: a default connection without a block, for a notebook whose cells are run again."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs import NotConnected, Result, connect, open_connection, task
from jobs.testing import eager
from tests.waiting import wait_until


@task(name="opened.double")
async def double(n: int) -> int:
    return 2 * n


async def stored(redis: Redis) -> int:
    return int(await redis.zcard("arq:queue"))


async def test_calls_use_it_until_it_is_closed(redis: Redis, redis_url: str) -> None:
    connection = await open_connection(redis_url)
    result = await double.delay(4)

    assert await Result(result.id).state() == "PENDING"
    assert await stored(redis) == 1
    for _ in range(2):
        await connection.aclose()
        with pytest.raises(NotConnected, match="open_connection"):
            await double.delay(4)
    async with await open_connection(redis_url):
        await double.delay(4)
    with pytest.raises(NotConnected):
        await double.delay(4)


async def test_a_second_one_takes_the_place_of_the_first_and_closes_it(redis: Redis, redis_url: str) -> None:
    first = await open_connection(redis_url)
    early = await double.delay(4)
    sockets = len(await redis.client_list())

    second = await open_connection(redis_url)
    await double.delay(5)

    async def as_before() -> bool:
        return len(await redis.client_list()) == sockets

    await wait_until(as_before, "the first one's sockets to be closed")
    assert await early.state() == "PENDING"
    await first.aclose()
    await double.delay(6)
    assert await stored(redis) == 3
    await second.aclose()


async def test_a_block_wins_over_it(redis: Redis, redis_url: str) -> None:
    nowhere = await open_connection("redis://nowhere.invalid")
    async with connect(redis_url):
        await double.delay(4)
    with eager():
        assert await (await double.delay(4)).get() == 8
        inside = await open_connection("redis://nowhere.invalid")
        assert await (await double.delay(4)).get() == 8
        await inside.aclose()
    await nowhere.aclose()

    assert await stored(redis) == 1
