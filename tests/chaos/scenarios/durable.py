"""steps, approvals: jobs with steps, whose worker or Redis fails at each of their points."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jobs import Result
from jobs.errors import QueueUnavailable
from tests.chaos import crashing_steps, invariants
from tests.chaos.crashing import FAULTS
from tests.chaos.crashing_steps import APPROVALS, STEPS, approval, steps
from tests.chaos.scenarios import scenario
from tests.chaos.scenarios.released import unpacked
from tests.chaos.scenarios.workflows import Shape, at_each_point
from tests.chaos.stage import Stage

SETTINGS = f"{crashing_steps.__name__}.WorkerSettings"
APPROVED_AFTER_S, LEASE_S = 0.3, 1.0
RELEASE = "79a3d60a"
"""The last commit whose workers know no steps."""


@dataclass(frozen=True)
class Approved:
    """A job that somebody approves a moment later, however often Redis is away."""

    key: str

    async def delay(self) -> Result:
        result = await approval.delay(self.key)
        sending.add(asyncio.create_task(self._approve(result)))
        return result

    async def _approve(self, result: Result) -> None:
        await asyncio.sleep(APPROVED_AFTER_S)
        while True:
            try:
                return await result.send_event("approval", "yes")
            except QueueUnavailable:
                continue


sending = set[asyncio.Task[Any]]()


def at_points(shape: Shape, points: Sequence[str]) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        cases = [(point, how) for point in points for how in FAULTS]
        if stage.short:
            cases = random.Random(f"{points[-3]} {stage.rng.random()}").sample(cases, 4)
        await at_each_point(stage, shape, cases * stage.rounds, SETTINGS)

    return play


@scenario("steps-released", "jobs with steps, beside workers of a release that has none", short=False)
async def released(stage: Stage) -> None:
    """Those run the children, and leave the jobs with steps to ours, though they may claim one after each wait."""
    folder, jobs = await asyncio.to_thread(unpacked, stage.folder / "released", RELEASE), 20
    await stage.workers(2, folder=folder, CHAOS_LEASE="3")
    stage.fleet.settings = SETTINGS
    await stage.workers(1, CHAOS_LEASE="3")
    results = await steps.apply_many([(f"job {n}",) for n in range(jobs)])
    ended = await asyncio.gather(*(result.get(timeout=120) for result in results), return_exceptions=True)

    right = [[f"job {n} charge", f"job {n} pack", f"job {n} child by attempt 1", f"job {n} send"] for n in range(jobs)]
    wrong = [one for one, expected in zip(ended, right, strict=True) if one != expected]
    stage.check(f"{jobs} jobs end, each with its steps", wrong[:2] or "all", not wrong)
    effects = {key: stage.oracle.effects(key) for key in stage.oracle.read().runs}
    once = len(effects) == 4 * jobs and set(effects.values()) == {1}
    stage.check("each step acts once", "once" if once else {k: n for k, n in effects.items() if n != 1}, once)
    olds = {worker.pid for worker in stage.fleet.all if worker.folder == folder}
    by_old = sum(run.pid in olds for key, runs in stage.oracle.runs.items() if "child" in key for run in runs)
    stage.check("workers of the release ran children", by_old, by_old > 0)
    await invariants.quiet(stage)
    await invariants.nothing_left(stage)


for name, title, shape, points in (
    ("steps", "jobs with steps: worker or Redis fails at each point", Shape(steps.s, 4, lease_s=LEASE_S), STEPS),
    ("approvals", "jobs that wait for a person: the same", Shape(Approved, 2, lease_s=LEASE_S), APPROVALS),
):
    scenario(name, title)(at_points(shape, points))
