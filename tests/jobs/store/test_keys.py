"""The table of keys, and that tests hold Redis against it."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.store.keys import NAMES, NO_PREFIX, Keys
from tests.jobs.key_table import CHANNELS, assert_as_documented, table


def test_every_constant_is_in_the_table() -> None:
    names = [name for name in NAMES.values() if name not in (*CHANNELS, Keys.OURS)]
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
    assert NO_PREFIX.queue_name(NO_PREFIX.queue_key(name)) == name


@pytest.mark.parametrize("name", ["default", "mail", "=odd", "x:y", "早"])
def test_a_prefix_is_before_every_key_and_in_no_name(name: str) -> None:
    own = Keys("{shop}:")
    assert all(getattr(own, constant) == f"{{shop}}:{key}" for constant, key in NAMES.items())
    assert own.queue_key(name) == "{shop}:" + NO_PREFIX.queue_key(name)
    assert own.queue_name(own.queue_key(name)) == name
    assert own.is_ours("{shop}:jobs:tasks")
    assert not own.is_ours("{shop}:odd")
    assert own.types == {f"{{shop}}:{key}": kind for key, kind in NO_PREFIX.types.items()}


def test_a_pattern_of_keys_takes_no_sign_of_the_prefix_for_any_sign() -> None:
    assert Keys("a[b]*?\\").beginning_with("jobs:") == r"a\[b\]\*\?\\jobs:*"
