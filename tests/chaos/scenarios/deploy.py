"""r3, r7: workers that are replaced."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r3", "rolling deploys under load")
async def rolling_deploys(stage: Stage) -> None:
    rounds, longest = stage.size(20, 3), stage.size(20, 4)
    workers = await stage.workers(3)
    sending = asyncio.create_task(keep_sending(stage, longest))
    slowest, codes = 0.0, set()
    for _ in range(rounds):
        for place, worker in enumerate(workers):
            began = time.monotonic()
            worker.send(signal.SIGTERM)
            [workers[place]] = await stage.workers(1)
            await stage.until(lambda worker=worker: not worker.alive, "a worker to drain", 60)  # type: ignore[misc]
            slowest = max(slowest, time.monotonic() - began)
            codes.add(worker.exit_code)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await stage.until_all_acted(longest + 40)

    stage.check("SIGTERM ends a worker <= 30 s", f"{slowest:.1f} s", slowest <= 30)
    stage.check("exit code 0", codes, codes == {0})
    await invariants.hold(stage)


async def keep_sending(stage: Stage, longest: float) -> None:
    n = 0
    while True:
        n += 1
        short = stage.rng.random() < 0.9
        await stage.send(f"job {n}", stage.rng.uniform(0.1, 1 if short else longest))
        await asyncio.sleep(0.08)


@scenario("r3-long", "a long job survives deploy after deploy")
async def long_job(stage: Stage) -> None:
    """It is cancelled each time, handed back, and runs from its start; no retry and no crash is counted."""
    deploys, seconds = stage.size(20, 4), stage.size(60, 5)
    [worker] = await stage.workers(1, CHAOS_WAIT="1")
    await stage.send("long", seconds)
    gaps = []
    for n in range(deploys):
        await stage.until_started("long", times=n + 1, timeout_s=60)
        [following] = await stage.workers(1, CHAOS_WAIT="1")
        worker.send(signal.SIGTERM)
        await stage.until(lambda worker=worker: not worker.alive, "a worker to stop", 20)  # type: ignore[misc]
        ended = time.monotonic()
        await stage.until_started("long", times=n + 2, timeout_s=60)
        gaps.append(stage.oracle.runs["long"][-1].start - ended)
        worker = following
    await stage.until_all_acted(seconds + 20)

    record = await stage.record("long")
    stage.check("handed back at once (<= 1 s)", f"{max(gaps):.2f} s", max(gaps) <= 1)
    stage.check(
        "attempts used 1, crashes 0",
        f"{record['attempts']}, {record['crashes'] or 0}",
        record["attempts"] == "1" and record["crashes"] in ("", "0"),
    )
    await invariants.hold(stage)


@scenario("r7", "old and new workers side by side")
async def mixed_versions(stage: Stage) -> None:
    """An old worker that meets a task it does not know leaves it for a new one."""
    jobs = stage.size(500, 60)
    await stage.workers(2, CHAOS_RELEASE="old")
    await stage.workers(2)
    await stage.send_many({f"known {n}": 0.05 for n in range(jobs)})
    await stage.send_many({f"newest {n}": 0.05 for n in range(jobs)}, task=tasks.newest)
    await stage.until_all_acted(90)

    attempts = [int((await stage.record(f"newest {n}"))["attempts"]) for n in range(jobs)]
    stage.check("an unknown task costs no attempt", f"at most {max(attempts)}", max(attempts) == 1)
    await invariants.hold(stage)
