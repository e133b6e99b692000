"""The two tasks of every tutorial."""

from __future__ import annotations

from typing import Any

from jobs import task


@task(name="demo.log")
async def log(message: Any) -> Any:
    """Returns what it is given; the worker's log shows it."""
    return message


@task(name="demo.multiply")
async def multiply(x: int, y: int) -> int:
    """Small enough that only the way to a worker and back takes time."""
    return x * y
