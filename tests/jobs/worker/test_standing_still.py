"""A process that stood still did not hang: it goes on, and what it lost meanwhile is not run here any longer."""

from __future__ import annotations

import asyncio
import signal

from jobs.client.connection import JobsRedis
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess


async def test_a_process_that_was_stopped_and_goes_on_is_not_given_up(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    worker = await start_process(LOOP_STUCK="3")
    await (await tasks.multiply.delay(2, 2)).get(timeout=10)

    worker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(9)
    worker.process.send_signal(signal.SIGCONT)

    assert await (await tasks.multiply.delay(3, 3)).get(timeout=10) == 9
    assert "giving up" not in worker.text


async def test_a_loop_that_is_blocked_is_given_up(connection: JobsRedis, start_process: StartProcess) -> None:
    worker = await start_process(LOOP_STUCK="2")
    await tasks.block.delay(30)

    assert await worker.wait_until_ended(within_s=15) == 1
    assert "giving up. It is in\n    File " in worker.text
    assert "time.sleep(seconds)" in [line.partition("  #")[0].strip() for line in worker.text.splitlines()]
