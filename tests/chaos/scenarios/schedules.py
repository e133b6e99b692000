"""r2-schedules: stored schedules fire while their workers are killed, and while people put, pause and delete them."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from jobs import Result, every, schedules
from jobs.store import default
from jobs.store.store import now_ms
from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

PERIOD_S, LATE_S = 8, 6
"""A worker that dies between its look and its fire makes a moment five seconds late: before the next one is due."""
PERIOD_MS = PERIOD_S * 1000


@scenario("r2-schedules", "a SIGKILL loop while stored schedules fire, are put again, paused and deleted")
async def schedules_under_kills(stage: Stage) -> None:
    await stage.workers(3)
    names, began_ms = [f"s{n}" for n in range(stage.size(60, 20))], await now_ms(default.current())
    for name in names:
        await put(name)
    paused, deleted = names[0], names[1]
    put_by_ms, ends = await now_ms(default.current()), time.monotonic() + stage.size(60, 10)
    await schedules.pause(paused)
    while time.monotonic() < ends:
        await asyncio.sleep(stage.rng.uniform(0.5, 2))
        stage.fleet.kill_one(stage.rng, stage.fleet.living)
        stage.fleet.start()
        await put(stage.rng.choice(names[1:]))
    await schedules.delete(deleted)
    ended_ms = await now_ms(default.current())
    await asyncio.sleep(LATE_S)
    for name in names:
        await schedules.delete(name)

    found = [key.removeprefix("jobs:job:") async for key in stage.redis.scan_iter("jobs:job:sched:*", count=1000)]
    stage.acked.update({job_id: Result(job_id) for job_id in found})
    await stage.until_all_acted(60)
    must = {
        f"sched:{name}:{at}"
        for name in names[2:]
        for at in range(-(-put_by_ms // PERIOD_MS) * PERIOD_MS, ended_ms + 1, PERIOD_MS)
    }
    missing, kills = must - set(found), len(stage.fleet.killed)
    stage.check(f"each of {len(must)} moments has fired", f"{len(missing)} missing after {kills} kills", not missing)
    first = [sum(run.attempt == 1 for run in stage.oracle.runs[job_id]) for job_id in found]
    stage.check("none has fired twice", f"at most {max(first)} first starts", max(first) == 1)
    early = [job_id for job_id in found if int(job_id.rpartition(":")[2]) <= began_ms]
    stage.check("none from before it was put", len(early), not early)
    of_paused = [job_id for job_id in found if job_id.startswith(f"sched:{paused}:")]
    stage.check("a paused one fires no more", len(of_paused), len(of_paused) <= 1)
    left = await stage.redis.zcard("jobs:schedules:due") + len(
        [key async for key in stage.redis.scan_iter("jobs:schedule:*")]
    )
    stage.check("I7 no schedule left", left, not left)
    await invariants.hold(stage, duplicates=kills * 10, overlaps=0)


async def put(name: str) -> None:
    await schedules.put(name, tasks.of_schedule.s(0.05), every(timedelta(seconds=PERIOD_S)), jitter=1)
