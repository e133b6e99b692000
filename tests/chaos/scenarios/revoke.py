"""r22: jobs that are revoked or aborted, at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from arq.jobs import Job

from jobs import Result, connect
from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r22", "revoke: waiting, deferred, running, finished, unknown")
async def revoke(stage: Stage) -> None:
    n = stage.size(1000, 100)
    await stage.send_many({f"queued {i}": 0 for i in range(n)})
    await stage.send_many({f"deferred {i}": 0 for i in range(n)}, countdown=2)
    for key in list(stage.acked):
        await stage.acked[key].revoke()
        await stage.acked[key].revoke()  # a double click
    await stage.workers(1)
    await stage.send("running", 30, task=tasks.tidy)
    await stage.send("finished", 0)
    await stage.until_started("running")
    await stage.acked["finished"].get(timeout=10)
    began = time.monotonic()
    await stage.acked["running"].revoke(terminate=True)
    await stage.until(lambda: any(text == "tidied" for *_, text in stage.oracle.read().notes), "finally to run", 10)
    took = time.monotonic() - began
    await stage.acked["finished"].revoke(terminate=True)
    unknown = await Result("nobody knows").revoke()
    await asyncio.sleep(3)

    ran = sum(stage.oracle.read().started(key) for key in stage.acked if key.startswith(("queued", "deferred")))
    stage.check(f"waiting or deferred: 0 of {2 * n} start", ran, ran == 0)
    stage.check("running: its finally has run <= 2 s later", f"{took:.2f} s", took <= 2)
    state = await stage.acked["running"].state()
    stage.check("running: REVOKED", state, state == "REVOKED")
    state = await stage.acked["finished"].state()
    stage.check("finished: stays SUCCESS", state, state == "SUCCESS")
    stage.check("unknown: UNKNOWN", unknown, unknown == "UNKNOWN")
    await invariants.hold(stage)


@scenario("r22-race", "revoke at the moment of the start")
async def revoke_races(stage: Stage) -> None:
    """What is REVOKED did not act, what acted is a SUCCESS."""
    await stage.workers(2)
    await race(stage, lambda result: result.revoke(terminate=stage.rng.random() < 0.5), (0, 0.005, 0.05))


@scenario("r22-abort", "stock Job.abort() at any moment")
async def abort_races(stage: Stage) -> None:
    await stage.workers(2)
    async with connect(stage.url) as redis:

        async def abort(result: Result) -> None:
            try:
                await Job(result.id, redis, _deserializer=redis.job_deserializer).abort(timeout=0.01)
            except Exception:  # how arq reports what had happened to the job; the oracle knows better
                return

        await race(stage, abort, (0, 0.05, 3))  # a worker looks for aborts when it claims, each 2 s
        await asyncio.sleep(3)
        left = await stage.redis.zcard("arq:abort")
        stage.check("arq:abort does not grow", left, left <= 1)


async def race(stage: Stage, stop: Callable[[Result], Awaitable[object]], seconds: Sequence[float]) -> None:
    rounds, at_once = stage.size(1000, 200), 20

    async def one(key: str) -> None:
        result = await stage.send(key, stage.rng.choice(seconds))
        assert result is not None
        await asyncio.sleep(stage.rng.uniform(0, 0.01))
        await stop(result)

    for begin in range(0, rounds, at_once):
        await asyncio.gather(*(one(f"job {n}") for n in range(begin, begin + at_once)))
    await invariants.quiet(stage)
    await asyncio.sleep(0.5)
    stage.oracle.read()
    wrong: list[str] = []
    states: dict[str, int] = {}
    for key, result in stage.acked.items():
        state, acted = await result.state(), stage.oracle.effects(key)
        states[state] = states.get(state, 0) + 1
        if (state, acted) not in (("SUCCESS", 1), ("REVOKED", 0)):
            wrong.append(f"{key}: {state}, acted {acted} times")
    stage.check(f"{rounds} races: SUCCESS acted once, REVOKED never", wrong[:3] or states, not wrong)
    both = states.keys() >= {"SUCCESS", "REVOKED"}
    stage.check("both ways to end were seen", states, both)
    await invariants.hold(stage)
