"""The tasks of every tutorial, and further tasks of the playground."""

from __future__ import annotations

from typing import Any

from jobs import CurrentJob, task


@task(name="demo.log")
async def log(message: Any) -> Any:
    """Returns its argument. The worker's log shows it."""
    return message


@task(name="demo.multiply")
async def multiply(x: int, y: int) -> int:
    """So fast that only the way to a worker and back takes time."""
    return x * y


@task(name="demo.total")
async def total(numbers: list[int]) -> int:
    """A chord's body: one number from the results of all members."""
    return sum(numbers)


@task(name="demo.unreliable", bind=True, max_retries=3, default_retry_delay=2)
async def unreliable(self: CurrentJob, failures: int) -> str:
    """Fails *failures* times, each 2 seconds after the last, and then succeeds."""
    if self.request.retries < failures:
        self.retry(exc=OSError("the network is away"))
    return f"it worked after {self.request.retries} retries"
