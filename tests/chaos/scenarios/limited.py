"""r2-limits: the kill loop again, with limits, unique tasks and stored schedules, retries and callbacks in play."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from datetime import timedelta

from jobs import Result, every, schedules
from tests.chaos import flow, flow_tasks, invariants, tasks
from tests.chaos.fleet import WorkerProcess
from tests.chaos.flow import Call
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

USERS, SCHEDULES, PERIOD_S, LEASE_S = 3, 20, 8, 5
KINDS = (tasks.paced, tasks.narrow, tasks.retried, tasks.work)


@scenario("r2-limits", "limits, unique tasks and stored schedules, while workers and Redis are killed")
async def limits_under_kills(stage: Stage) -> None:
    """Of three workers one is killed again and again, one deployed; Redis stops and is killed between them."""
    await stage.redis.config_set("appendfsync", "always")
    stage.fleet.settings = f"{flow_tasks.__name__}.WorkerSettings"
    workers = await stage.workers(3)
    jobs = stage.size(600, 80)
    await linked(stage, jobs)
    put_at = time.time()
    for n in range(SCHEDULES):
        await schedules.put(f"s{n}", tasks.of_schedule.s(0.01), every(timedelta(seconds=PERIOD_S)))

    calls: list[Call] = []
    longest = [0]
    calling = asyncio.create_task(keep_calling(stage, calls))
    watching = asyncio.create_task(flow.watch_room(longest))
    ends = time.monotonic() + stage.size(120, 5)
    while time.monotonic() < ends:
        for fault in (killed, deployed, paused, restarted):
            await asyncio.sleep(stage.rng.uniform(0.2, 0.7))
            await fault(stage, workers)
    calling.cancel()
    with suppress(asyncio.CancelledError):
        await calling  # no call may fail: Redis comes back soon enough
    stage.acked |= {call.key: call.result for call in flow.by_job(calls).values()}
    took = await stage.until_all_acted(120)
    await fired(stage, put_at)
    watching.cancel()

    states = await stage.states()
    stage.check("every job SUCCESS", states, states.keys() == {"SUCCESS"})
    stage.check("all done <= 30 s after the last fault", f"{took:.0f} s", took <= 30)
    beside = stage.oracle.most_beside([f"job {n}" for n in range(jobs) if KINDS[n % 4] is tasks.narrow])
    stage.check("at most 2 of a task beside each other", beside, beside <= 2)
    idle_s = longest[0] * flow.EVERY_S
    stage.check(f"room, and one who waits: <= {flow.PATIENCE_S} s", idle_s, idle_s <= flow.PATIENCE_S)
    await flow.check(stage, calls)
    await invariants.hold(stage, duplicates=len(stage.fleet.killed) * 10, retries_used=False)
    await flow.nothing_of_flow_left(stage)


async def linked(stage: Stage, jobs: int) -> None:
    """Limits of tasks, retries, and a callback of each."""
    for n in range(jobs):
        link = tasks.work.si(f"after {n}", 0.01)
        result = await KINDS[n % len(KINDS)].apply_async((f"job {n}", 0.05), link=link)
        stage.acked[f"job {n}"] = result
        stage.acked[f"after {n}"] = Result(f"{result.id}::-1.0")


async def keep_calling(stage: Stage, calls: list[Call]) -> None:
    """More than the tenants' limits let through, and each unique task again before it has ended."""
    while True:
        for task in (*flow_tasks.FLOW, *[flow_tasks.tenant] * 2):
            key, user = f"{task.name} {len(calls)}", stage.rng.randrange(USERS)
            before = time.monotonic()
            result = await task.delay(key, stage.rng.uniform(0.1, 0.3), user)
            calls.append(Call(task, key, user, before, time.monotonic(), result))
            await asyncio.sleep(0.02)


async def killed(stage: Stage, workers: list[WorkerProcess]) -> None:
    workers[0].kill9()
    [workers[0]] = await stage.workers(1)


async def deployed(stage: Stage, workers: list[WorkerProcess]) -> None:
    workers[1].send(signal.SIGTERM)
    [workers[1]] = await stage.workers(1)


async def paused(stage: Stage, workers: list[WorkerProcess]) -> None:
    stage.server.pause()
    await asyncio.sleep(1)
    stage.server.resume()


async def restarted(stage: Stage, workers: list[WorkerProcess]) -> None:
    stage.server.kill9()
    await asyncio.sleep(0.5)
    stage.server.start()


async def fired(stage: Stage, put_at: float) -> None:
    """Every moment up to now has had its run; then nobody fires any more."""
    names, now = [f"s{n}" for n in range(SCHEDULES)], time.time()

    def missing() -> int:
        due, acted = zip(*(flow.moments(stage, name, PERIOD_S, put_at, now) for name in names), strict=True)
        return sum(due) - sum(acted)

    try:
        await stage.until(lambda: stage.oracle.read() and not missing(), "all moments", 2 * LEASE_S + PERIOD_S)
    finally:
        for name in names:
            await schedules.delete(name)
        stage.check(f"moments of {SCHEDULES} schedules without a run", missing(), not missing())
    twice = [
        key for key, runs in stage.oracle.runs.items() if key[:6] == "sched:" and sum(r.attempt == 1 for r in runs) > 1
    ]
    stage.check("moments that were fired twice", len(twice), not twice)
