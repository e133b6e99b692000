"""Wait for a condition, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def wait_until(condition: Callable[[], Any | Awaitable[Any]], what: str, *, timeout_s: float = 10) -> Any:
    """The condition's value, once it is true; it may be a coroutine. Fails naming what was awaited."""
    began = time.monotonic()
    deadline = began + timeout_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        now = time.monotonic()
        assert now < deadline, f"waited {timeout_s} s in vain for {what}"
        await asyncio.sleep(0.02 if now < began + 1 else 0.06)  # to look can cost more than what is awaited
