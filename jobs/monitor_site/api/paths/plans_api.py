"""Many jobs at once: a plan that says what would be done, then its start, then how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ... import bulk_plan, model
from ...acting import Action
from ...actions import of_many
from ...options import redis
from ...query import LONGEST, parse
from ...viewers import reader_zone
from ...web.messages import WrongInput
from ..answers import Done
from ..endpoints import read, write
from ..given import Given

MOST_IDS = 500
What = Annotated[Literal["retry", "revoke", "terminate", "purge", "move"], Given("`terminate` stops running ones too.")]
Where = Annotated[str, Given("The query whose jobs are meant; it needs one word at least.", LONGEST)]
Ids = Annotated[list[str] | None, Given(f"Or the ids of these jobs, {MOST_IDS} at most.", MOST_IDS)]
To = Annotated[str, Given("Where a move goes.")]
Rate = Annotated[str, Given("How many at most: `5/s` or `100/m`; without it as fast as it goes.", 50)]


@dataclass(frozen=True)
class PlanDetail:
    """A plan, and how far its run is: `done` and `skipped` of the plan."""

    plan: bulk_plan.Plan
    run: model.JobRow | None  # The job that carries it out; None before the start.


@write("/plans")
async def make_plan(action: What, q: Where = "", ids: Ids = None, queue: To = "", rate: Rate = "") -> bulk_plan.Plan:
    """Count what would be done to which jobs, and keep that for an hour. Nothing is done before its start."""
    if bool(q.strip()) == bool(ids):
        raise WrongInput("no-plan", "Give a query as q, or the ids of jobs.")
    return await bulk_plan.plan(redis(), action, ids or parse(q), zone=reader_zone(), queue=queue, rate=rate)


@read("/plans/{id}")
async def plan(id: str) -> PlanDetail:
    """A plan; once it is started, how far it is. A finished one is kept for a week."""
    made = await of_many.plan_of(id)
    return PlanDetail(made, await of_many.run_of(made))


@write("/plans/{id}/start")
async def start_plan(id: str) -> Done:
    """Have a worker carry it out; asked twice, it is started once."""
    return Done.of(await of_many.start(await of_many.plan_of(id)))


@write("/plans/{id}/stop")
async def stop_plan(id: str) -> Action:
    """Stop its run where it is."""
    return await of_many.stop(await of_many.plan_of(id))


@write("/plans/{id}/go-on")
async def continue_plan(id: str) -> Action:
    """Go on with a run that was stopped or has failed."""
    return await of_many.go_on(await of_many.plan_of(id))
