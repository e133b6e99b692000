"""The tasks of every tutorial, and what the playground needs besides."""

from __future__ import annotations

from typing import Any

from jobs import CurrentJob, task


@task(name="demo.log")
async def log(message: Any) -> Any:
    """Returns what it is given; the worker's log shows it."""
    return message


@task(name="demo.multiply")
async def multiply(x: int, y: int) -> int:
    """Small enough that only the way to a worker and back takes time."""
    return x * y


@task(name="demo.total")
async def total(numbers: list[int]) -> int:
    """What a chord ends with: one number made of all its members' results."""
    return sum(numbers)


@task(name="demo.unreliable", bind=True, max_retries=3, default_retry_delay=2)
async def unreliable(self: CurrentJob, failures: int) -> str:
    """Fails so many times, each 2 seconds after the last."""
    if self.request.retries < failures:
        self.retry(exc=OSError("the network is away"))
    return f"it worked after {self.request.retries} retries"
