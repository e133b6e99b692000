"""Services: started again after growing pauses, and ended by force when they do not end by themselves."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from app.embedded.processes import Service, running
from tests.waiting import wait_until

DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w'); time.sleep(60)"


async def test_a_service_that_does_not_end_is_killed_after_its_grace(tmp_path: Path) -> None:
    service = Service("deaf one", [sys.executable, "-c", DEAF, str(tmp_path / "up")], grace_s=0.2)

    async with running(service):
        await wait_until((tmp_path / "up").exists, "it to start")
        began = time.monotonic()

    assert not service.running
    assert time.monotonic() - began >= 0.2


async def test_the_pause_before_a_new_start_doubles(capfd: pytest.CaptureFixture[str]) -> None:
    async with running(Service("short one", [sys.executable, "-c", "raise SystemExit(3)"], grace_s=1)):
        said = ""

        def twice() -> bool:
            nonlocal said
            said += capfd.readouterr().out
            return said.count("\n") >= 2

        await wait_until(twice, "two ends")

    first, second = said.splitlines()[:2]
    assert first == "The short one has ended (exit code 3); starting it again in 1 s."
    assert second == "The short one has ended (exit code 3); starting it again in 2 s."


async def test_nothing_is_left_when_the_block_fails() -> None:
    service = Service("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], grace_s=5)

    with pytest.raises(ValueError, match="inside"):
        async with running(service):
            raise ValueError("inside")

    assert not service.running
    assert asyncio.all_tasks() == {asyncio.current_task()}
