"""What somebody else writes over our keys: values of another type, and garbage of the right one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from jobs.store.keys import Keys

OFFSET = int(os.environ.get("OFFSET", "0"))


GARBAGE = (b"\xff\xfe", b"9" * 5000, b"x", b"", b"=jobs:tasks", b"1e999", b"nan", b"-1", b"{}")


async def write_wrong(redis: Redis, key: bytes, kind: str) -> None:
    async with redis.pipeline(transaction=True) as pipe:  # a worker writes the key anew at any moment
        pipe.delete(key)
        if kind == "string":
            pipe.rpush(key, "somebody else's")
        else:
            pipe.set(key, "somebody else's")
        await pipe.execute()


async def write_garbage(redis: Redis, key: bytes, kind: str) -> None:
    """Beside what is there, and in place of each of its values."""
    if kind == "hash":
        fields = await redis.hkeys(key)
        kept = {b"owner", b"state"} if key.startswith(Keys.RECORD.encode()) else set()  # else it is nobody's job
        for n, name in enumerate(fields):
            if name not in kept:
                await redis.hset(key, name, GARBAGE[(n + OFFSET) % len(GARBAGE)])
        await redis.hset(key, mapping={value + b"|evil": value for value in GARBAGE} | {b"evil": b"1", b"": b""})
    elif kind == "zset":
        await redis.zadd(key, {value: n for n, value in enumerate(GARBAGE)} | {"inf": "inf", "-inf": "-inf"})
    elif kind == "set":
        await redis.sadd(key, *GARBAGE)
    elif kind == "list":
        await redis.rpush(key, *GARBAGE)
    elif kind == "stream":
        await redis.xadd(key, {b"\xff": b"\xff"})
    else:
        await redis.set(key, GARBAGE[(len(key) + OFFSET) % len(GARBAGE)])


async def written_over(redis: Redis, family: str, kind: str, write: Callable[[Redis, bytes, str], Any]) -> None:
    for key in await redis.keys(f"{family}*" if family.endswith(":") else family) or [f"{family}x".encode()]:
        if not key.endswith(b":health-check"):
            await write(redis, key, kind)
