"""Waits for many awaitables, all at once or a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def gather(begin: Callable[[int], Awaitable[Any]], count: int, limit: int | None) -> list[asyncio.Future[Any]]:
    """Begin 0 to *count* - 1, at most *limit* under way, and wait for every one, whatever becomes of the others:
    nothing is left running unobserved. Returns them ended, in order; a future that `begin` gave stays what it is.
    """
    numbers = iter(range(count))
    futures: list[asyncio.Future[Any]] = []
    if limit is None:
        futures += [asyncio.ensure_future(begin(number)) for number in numbers]

    async def in_turn() -> None:
        for number in numbers:
            futures.append(asyncio.ensure_future(begin(number)))
            await asyncio.gather(futures[-1], return_exceptions=True)

    await asyncio.gather(*(in_turn() for _ in range(min(limit or 0, count))))
    await asyncio.gather(*futures, return_exceptions=True)
    return futures
