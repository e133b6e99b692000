"""r2-limits: the kill loop again, with rate limits, concurrency limits, retries and callbacks in play."""

from __future__ import annotations

import asyncio
import time

from jobs import Result
from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r2-limits", "a SIGKILL loop with limits, retries and links in play")
async def limits_under_kills(stage: Stage) -> None:
    jobs, workers = stage.size(600, 120), stage.size(4, 3)
    await stage.workers(workers)
    kinds = (tasks.paced, tasks.narrow, tasks.retried, tasks.work)
    results: list[Result] = []
    for n in range(jobs):
        task = kinds[n % len(kinds)]
        link = tasks.work.si(f"after {n}", 0.01)
        result = await task.apply_async((f"job {n}", 0.05), link=link)
        results.append(result)
        stage.acked[f"job {n}"] = result
        stage.acked[f"after {n}"] = Result(f"{result.id}::-1.0")

    ends = time.monotonic() + stage.size(45, 8)
    while time.monotonic() < ends:
        await asyncio.sleep(stage.rng.uniform(1, 3))
        stage.fleet.kill_one(stage.rng, stage.fleet.living)
        stage.fleet.start()
    took = await stage.until_all_acted(120)

    kills = len(stage.fleet.killed)
    states = {await result.state() for result in results}
    stage.check("every job SUCCESS", sorted(states), states == {"SUCCESS"})
    stage.check("all done <= 60 s after the last kill", f"{took:.0f} s", took <= 60)
    beside = stage.oracle.most_beside([f"job {n}" for n in range(jobs) if kinds[n % 4] is tasks.narrow])
    stage.check("at most 2 of a task beside each other", beside, beside <= 2)
    for kind in ("holders", "blocked", "places"):
        left = [await stage.redis.exists(f"jobs:{kind}:{task.name}") for task in kinds]
        stage.check(f"I7 no {kind} left", sum(left), not any(left))
    await invariants.hold(stage, duplicates=kills * 10, retries_used=False)
