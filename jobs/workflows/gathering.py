"""Waits for many awaitables, all at once or a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..store.cancellation import cancel_until_ended


async def gather(begin: Callable[[int], Awaitable[Any]], count: int, limit: int | None) -> list[asyncio.Future[Any]]:
    """Begin 0 to *count* - 1, at most *limit* under way, and wait for every one, whatever becomes of the others:
    nothing is left running unobserved. Returns them ended, in order; a future that `begin` gave stays what it is."""
    numbers = iter(range(count))
    futures: list[asyncio.Future[Any]] = []

    async def in_turn() -> None:
        for number in numbers:
            futures.append(asyncio.ensure_future(begin(number)))
            await asyncio.wait(futures[-1:])

    try:
        await asyncio.gather(*(in_turn() for _ in range(min(limit or 0, count))))
        for number in numbers:
            futures.append(asyncio.ensure_future(begin(number)))
            if number % 500 == 499:  # what has begun gets under way while the rest begins
                await asyncio.sleep(0)
        for future in futures:  # one after the other: a callback for each of 100,000 is too expensive
            if not future.done():
                await asyncio.wait([future])
            future.cancelled() or future.exception()  # looked at: asyncio need not complain of it
    except asyncio.CancelledError:
        await cancel_until_ended(futures)
        raise
    return futures
