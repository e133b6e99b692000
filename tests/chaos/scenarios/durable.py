"""steps, approvals: jobs with steps, whose worker or Redis fails at each of their points."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jobs import Result
from jobs.errors import QueueUnavailable
from tests.chaos import crashing_steps
from tests.chaos.crashing import FAULTS
from tests.chaos.crashing_steps import APPROVALS, STEPS, approval, steps
from tests.chaos.scenarios import scenario
from tests.chaos.scenarios.workflows import Shape, at_each_point
from tests.chaos.stage import Stage

SETTINGS = f"{crashing_steps.__name__}.WorkerSettings"
APPROVED_AFTER_S = 0.3


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


scenario("steps", "jobs with steps: worker or Redis fails at each point")(at_points(Shape(steps.s, 4), STEPS))
scenario("approvals", "jobs that wait for a person: the same")(at_points(Shape(Approved, 2), APPROVALS))
