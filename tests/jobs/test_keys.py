"""The table of keys, and that tests hold Redis against it."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.store import keys
from tests.jobs.key_table import assert_as_documented, table


def test_every_constant_is_in_the_table() -> None:
    names = [
        value
        for name, value in vars(keys).items()
        if name.isupper()
        and isinstance(value, str)
        and value.startswith(("arq:", "jobs:"))
        and name
        not in ("REPLY", "CONTROL", "PROGRESS", "NEWS", "EVENTS", "ENDS", "OURS")  # channels are no keys
    ]
    assert len(names) > 15
    for name in names:
        example = f"{name}x" if name.endswith(":") else name
        assert any(pattern.fullmatch(example) for pattern in table()), f"{name} is not documented"


async def test_a_key_that_nobody_documented_is_found(redis: Redis) -> None:
    await redis.set("jobs:secret", 1)
    with pytest.raises(AssertionError, match=r"jobs:secret \(string\) is not in the table"):
        await assert_as_documented(redis)


async def test_a_job_that_ended_and_left_something_is_found(redis: Redis) -> None:
    await redis.hset("jobs:job:x", "state", "SUCCESS")
    await redis.set("arq:job:x", "payload")
    with pytest.raises(AssertionError, match="arq:job:x stays"):
        await assert_as_documented(redis)


@pytest.mark.parametrize("name", ["default", "mail", "=arq:other", "x:y", "早"])
def test_queue_names_and_keys_are_two_sides_of_one_thing(name: str) -> None:
    assert keys.queue_name(keys.queue_key(name)) == name
