"""r1, r2, r4: workers that die."""

from __future__ import annotations

import asyncio
import signal
import time

from jobs import Result, monitor, monitor_site
from jobs.errors import WorkerLost
from jobs.store import default
from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r1", "a SIGKILLed worker's job runs again")
async def crash_recovery(stage: Stage) -> None:
    seconds = stage.size(120, 5)
    first, second = await stage.workers(2)
    await stage.send("long", seconds)
    await stage.until_started("long")
    await asyncio.sleep(stage.size(2, 1))
    victim = first if stage.oracle.runs["long"][0].pid == first.pid else second
    victim.kill9()

    await stage.until_started("long", times=2, timeout_s=40)
    await stage.until_all_acted(seconds + 10)

    await invariants.hold(stage)


async def retry_many(stage: Stage, keys: list[str]) -> Result:
    """Jobs that have failed, and the run that retries all of them: each is to act once."""
    redis = default.current()
    failed = await tasks.mended.apply_many([(key,) for key in keys])
    for result in failed:
        await result.get(timeout=30, propagate=False)

    made = await monitor_site.plan(redis, "retry", [result.id for result in failed], rate="40/s")
    run = await monitor_site.start(redis, made, "chaos")
    assert run is not None
    stage.acked |= {key: Result(f"{result.id}~2") for key, result in zip(keys, failed, strict=True)}
    return Result(run)


async def carried_out(run: Result) -> dict[str, int]:
    """What a run says at its end; it goes on if it was ended because three workers died while they ran it."""
    while isinstance(done := await run.get(timeout=60, propagate=False), WorkerLost):
        run = Result(await monitor.retry(default.current(), run.id))
    return done


@scenario("r2", "many jobs, and a run that retries others, under a SIGKILL loop")
async def kill_loop(stage: Stage) -> None:
    jobs, workers, slots = stage.size(10_000, 600), stage.size(4, 3), 10
    calls = {f"job {n}": stage.rng.uniform(0.02, 0.2) for n in range(jobs)}
    calm_s = sum(calls.values()) / workers / slots
    await stage.workers(workers)
    mended = [f"mended {n}" for n in range(60)]
    run = await retry_many(stage, mended)
    began = time.monotonic()
    sending = asyncio.create_task(stage.send_many(calls))

    def all_acted() -> bool:
        stage.oracle.read()
        return sending.done() and all(stage.oracle.effects(key) for key in stage.acked)

    last_kill = began + stage.size(600, 12)
    while not all_acted() and time.monotonic() < last_kill:
        await asyncio.sleep(stage.rng.uniform(1, 3))
        stage.fleet.kill_one(stage.rng, stage.fleet.living)
        stage.fleet.start()
    await sending
    await stage.until_all_acted(120)
    took = time.monotonic() - began

    done = await carried_out(run)
    stage.check("the run has retried all", done, done == {"done": len(mended), "total": len(mended), "skipped": 0})
    kills = len(stage.fleet.killed)
    await invariants.hold(stage, duplicates=kills * slots)
    limit = 1.5 * calm_s + 20
    stage.check(f"all done <= {limit:.0f} s ({kills} kills)", f"{took:.0f} s", took <= limit)


@scenario("r4", "a second signal, or SIGKILL, while it drains")
async def second_signal(stage: Stage) -> None:
    """Each worker has one slot, so each has one job; the rescuer comes when all have theirs."""
    ways = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGKILL": signal.SIGKILL, "SIGHUP": signal.SIGHUP}
    workers = await stage.workers(len(ways), CHAOS_MAX_JOBS="1")
    keys = [f"job {n}" for n in range(len(ways))]
    for key in keys:
        await stage.send(key, 6)
        await stage.until_started(key)
    await stage.workers(2)
    for worker in workers:
        worker.send(signal.SIGTERM)
    await asyncio.sleep(1)

    for worker, (name, signum) in zip(workers, ways.items(), strict=True):
        if signum == signal.SIGKILL:
            worker.kill9()
            continue
        worker.send(signum)
        took = await stage.until(lambda worker=worker: not worker.alive, f"{name} to end it", 20)  # type: ignore[misc]
        stage.check(f"{name} during the drain ends it <= 2 s", f"{took:.1f} s", took <= 2)

    await stage.until_all_acted(60)
    slowest = max(stage.oracle.runs[key][-1].start - stage.oracle.runs[key][0].start for key in keys)
    stage.check("all start again <= 18 s later", f"{slowest:.1f} s", slowest <= 18)
    await invariants.hold(stage)
