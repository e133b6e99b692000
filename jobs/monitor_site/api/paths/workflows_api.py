"""Workflows: find them, and where the time of one went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from ... import model
from ...options import redis
from ...request_args import not_found
from ...spent_time import Part
from ...step_times import StepTimes, times_of
from ...workflow_drawing import DrawnWorkflow, drawn_workflow
from ...workflow_list import WorkflowRow
from ...workflow_list import workflows as listed
from ..endpoints import read
from ..given import Cursor, Given, Limit

State = Annotated[
    Literal["", "waiting", "scheduled", "ended", "PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED"],
    Given("Only those in it; without it, all."),
]
Text = Annotated[str, Given("A text in name, id or error. A name has the tasks of its workflow.")]
Longest = Annotated[bool, Given("Those that took longest, of the last 1,000, instead of those called last.")]
Path = Annotated[str, Given("The step whose members are wanted, such as `0`; without it the root.")]
MemberState = Annotated[str | None, Given("Only members in this state; '' is that of those not called yet.")]
Start = Annotated[int, Given("How many members come before the page.", 10_000_000)]


@dataclass(frozen=True)
class WorkflowDetail:
    """Where the time of a workflow went, and its steps: of large groups a few, failed ones first."""

    id: str
    name: str
    state: str
    called: datetime | None
    ended: datetime | None
    seconds: float
    runs: int  # More than one: somebody retried it.
    sentence: str
    parts: list[Part]
    """The time of what decided the end, in parts that follow each other; together they are all of `seconds`."""
    states: Mapping[str, int]  # How many tasks are in each.
    steps: list[StepTimes]


@dataclass(frozen=True)
class Members:
    """A page of the members of a step, and of the first few below each."""

    states: Mapping[str, int]  # Of all members.
    size: int  # How many fit.
    start: int
    steps: list[StepTimes]


@read("/workflows")
async def workflows(
    text: Text = "", state: State = "", longest: Longest = False, cursor: Cursor = "", limit: Limit = 50
) -> model.Page[WorkflowRow]:
    """The workflows that fit, those called last first."""
    return await listed(redis(), cursor, limit, state=state, text=text, longest=longest)


@read("/workflows/{id}")
async def workflow(id: str) -> WorkflowDetail:
    """Where the time of a workflow went, until it ended or until now."""
    drawn = await drawn_workflow(redis(), id) or not_found()
    it = drawn.timeline
    times = (it.called, it.ended, it.seconds, it.runs, it.sentence, it.parts)
    return WorkflowDetail(it.id, it.name, it.state, *times, drawn.states, _steps(drawn))


@read("/workflows/{id}/members")
async def workflow_members(id: str, path: Path = "", state: MemberState = None, start: Start = 0) -> Members:
    """The members of a step in pages of 50, failed ones first."""
    drawn = await drawn_workflow(redis(), id, path, state, start) or not_found()
    assert drawn.members is not None
    return Members(drawn.members.states, drawn.members.size, drawn.members.start, _steps(drawn)[1:])


def _steps(drawn: DrawnWorkflow) -> list[StepTimes]:
    return times_of(drawn.timeline, (row.step for row in drawn.rows if not row.hidden))
