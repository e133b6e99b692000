"""How long an answer takes must not tell what was found on the way to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def no_sooner_than(seconds: float) -> AsyncIterator[None]:
    """The block ends so long after it began, or later, whichever way it went through it. An error passes at once."""
    end = time.monotonic() + seconds
    yield
    await asyncio.sleep(end - time.monotonic())
