"""What was told to end ends."""

from __future__ import annotations

import asyncio

from jobs import cancel_until_ended


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    lost = []

    async def deaf() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost.append(1)
                if len(lost) == 3:
                    raise

    async def broken() -> None:
        raise OSError("dropped")

    running = [asyncio.create_task(deaf()), asyncio.create_task(broken())]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await cancel_until_ended(running)

    assert len(lost) == 3
    assert all(task.done() for task in running)
