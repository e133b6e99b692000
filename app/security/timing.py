"""Hide from the duration of a response which case it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def no_sooner_than(seconds: float) -> AsyncIterator[None]:
    """Make the block last at least *seconds*. An exception passes at once."""
    end = time.monotonic() + seconds
    yield
    await asyncio.sleep(end - time.monotonic())
