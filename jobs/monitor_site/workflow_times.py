"""A workflow with its times: when each step was called, waited and ran, and which tasks decided when it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ..store.notifications import TERMINAL
from .critical_path import deciding
from .spent_time import Part, parts_of
from .time_sentence import sentence
from .workflow_steps import UNREAD, Step


@dataclass(frozen=True)
class Timeline:
    """A workflow with its times, until it ended, or until now: `at`."""

    id: str
    name: str
    state: str
    queue: str
    called: datetime | None  # None, as `at`, where all records are forgotten.
    due: datetime | None
    at: datetime | None
    pauses: Sequence[tuple[datetime, datetime]]
    """From each failure until somebody retried the workflow."""
    root: Step

    @property
    def ended(self) -> datetime | None:
        return self.at if self.state in TERMINAL else None

    @property
    def seconds(self) -> float:
        return (self.at - self.called).total_seconds() if self.at and self.called else 0.0

    @property
    def runs(self) -> int:
        """More than one: somebody has retried it."""
        return len(self.pauses) + 1

    @cached_property
    def path(self) -> list[Step]:
        """The tasks that decided when it ended, in their order."""
        return deciding(self.root, self.at) if self.at else []

    @cached_property
    def parts(self) -> list[Part]:
        """What its time was spent on. They follow each other, and are together its whole time."""
        if not self.called or not self.at:
            return []
        return parts_of(self.path, self.called, self.due, self.at, self.queue, self.pauses)

    @cached_property
    def sentence(self) -> str:
        tasks = list(self.root.tasks())
        unread = sum(task.state == UNREAD for task in tasks)
        forgotten = sum(not task.called for task in tasks if task.state in TERMINAL)
        waits_for = None if self.ended else sum(task.called is not None and not task.ended for task in tasks)
        said = [sentence(self.parts, self.path, waits_for)] if self.parts else []
        if self.pauses:
            said.append(f"it was retried {'once' if self.runs == 2 else f'{len(self.pauses):,} times'}")
        if unread:
            said.append(f"{unread:,} of its tasks were not looked at")
        if forgotten:
            said.append(f"when {forgotten:,} of its {len(tasks):,} tasks ran is forgotten")
        return "; ".join(said)

    def begins(self, step: Step) -> float | None:
        """Seconds from the call of the workflow to that of a step; None: it was not called, or that is forgotten."""
        return (step.called - self.called).total_seconds() if step.called and self.called else None

    def spent(self, step: Step) -> tuple[float, float]:
        """Seconds that a task waited and ran. Of a group, chain or chord: until its first task started, and from then
        on until it ended."""
        end = step.ended or self.at
        if not step.called or not end:
            return 0.0, 0.0
        whole = max((end - step.called).total_seconds(), 0.0)
        if step.kind == "task":
            times = (((run.ended or end) - run.started).total_seconds() for run in step.runs if run.outcome != "LOST")
            ran = min(sum(times), whole)
        else:
            first = min((run.started for task in step.tasks() for run in task.runs[:1]), default=end)
            ran = min(max((end - first).total_seconds(), 0.0), whole)
        return whole - ran, ran
