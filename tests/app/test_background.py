"""What runs beside the worker begins and ends with it."""

from __future__ import annotations

import asyncio

import pytest

from app import background
from settings import Settings
from tests.app.working import working
from tests.waiting import wait_until


async def test_a_worker_ends_though_what_runs_beside_it_loses_its_cancellation(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As asyncpg does when it is cancelled while it connects: the worker then waited for ever."""
    begun, ended = [], []

    async def keep() -> None:
        begun.append(1)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append(1)
                if len(ended) == 2:
                    raise

    monkeypatch.setattr(background, "BACKGROUND_LOOPS", (keep,))
    async with asyncio.timeout(20), working(settings):
        await wait_until(lambda: begun, "it to run")

    assert len(ended) == 2
