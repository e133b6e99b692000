"""A step of a workflow as programs read it: for the API and for `--json`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ..client.job_info import Attempt
from .workflow_steps import Step
from .workflow_times import Timeline


@dataclass(frozen=True)
class StepTimes:
    """A task, or a group, chain or chord, whose times are the first and last ones below it. None: not called yet, or
    its record is forgotten."""

    path: str  # From the root to it: `0.3`; '' is the root.
    kind: str  # task, group, chain or chord.
    task: str  # '' but for a task, as `id` and `attempts`.
    id: str  # Of its job, which need not have been called yet.
    state: str  # Of a job; '' not called yet; SKIPPED: it never will be; UNREAD: not looked at.
    members: int
    called: datetime | None
    ended: datetime | None
    waited_s: float  # A group, chain or chord waits until its first task starts.
    ran_s: float
    decided_the_end: bool
    attempts: list[Attempt]  # The last 20, without their texts.


def times_of(timeline: Timeline, steps: Iterable[Step]) -> list[StepTimes]:
    """These steps."""
    on_path = {step.path for step in timeline.path}
    return [
        StepTimes(
            step.path, step.kind, step.task, step.id, step.state, len(step.members), step.called, step.ended,
            *timeline.spent(step), step.path in on_path, step.runs,
        )
        for step in steps
    ]  # fmt: skip


def every(step: Step) -> Iterator[Step]:
    """The step and all below it, callbacks too, in the order of the tree."""
    yield step
    for below in (*step.members, *step.callbacks):
        yield from every(below)
