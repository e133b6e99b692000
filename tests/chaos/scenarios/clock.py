"""r18: clocks that are wrong."""

from __future__ import annotations

import asyncio
import time

from tests.chaos import invariants
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

HOUR_MS = 3_600_000


@scenario("r18", "clocks of workers and of Redis are wrong")
async def wrong_clocks(stage: Stage) -> None:
    """Workers an hour apart from Redis change nothing: only Redis' clock is asked. Then that one steps, too."""
    workers = [*await stage.workers(1, CHAOS_SKEW_S="3600"), *await stage.workers(1, CHAOS_SKEW_S="-3600")]
    await expect(stage, "skewed", 0, 0)
    await expect(stage, "skewed later", 3, 3)
    await stage.send("long", 8)
    await stage.until_started("long")
    for name, step in {"an hour forward": HOUR_MS, "a day forward": 24 * HOUR_MS, "an hour back": -HOUR_MS}.items():
        await stage.redis.set("jobs:test:clock", step)
        await expect(stage, f"{name}", 0, 0)
        await expect(stage, f"{name}, later", 2, 2)
    await stage.until_all_acted(30)

    stage.check("workers live", len(stage.fleet.living), all(worker.alive for worker in workers))
    await stage.redis.delete("jobs:test:clock")
    await invariants.hold(stage)


async def expect(stage: Stage, name: str, countdown: float, due_s: float) -> None:
    """Ten calls: none starts early (I6), all start within a second of their time."""
    keys = [f"{name} {n}" for n in range(10)]
    began = time.monotonic()
    await asyncio.gather(*(stage.send(key, 0, countdown=countdown) for key in keys))
    await stage.until(lambda: stage.oracle.read() and all(stage.oracle.effects(k) for k in keys), name, due_s + 20)
    starts = [stage.oracle.runs[key][0].start - began - due_s for key in keys]
    measured = f"{min(starts):+.2f} to {max(starts):+.2f} s"
    stage.check(f"I6 {name}: not early, <= 1 s late", measured, min(starts) >= -0.005 and max(starts) <= 1)
