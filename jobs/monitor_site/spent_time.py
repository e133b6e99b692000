"""What the time of a workflow was spent on, from its call to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .workflow_steps import Step

WORDS = {
    "run": "running",
    "queue": "in queue {}",  # Due: a worker, a slot or a limit was missing.
    "later": "until due",
    "retry": "between attempts",
    "lost": "for a worker that died",
    "next": "between steps",  # Until the next one was called, or the end recorded.
    "earlier": "in an earlier run",  # Of the workflow, which failed.
    "again": "until it was retried",  # By somebody, after that.
}


@dataclass(frozen=True)
class Part:
    """A part of a workflow's time. `what`: one of WORDS. `path`: of the task that runs or waits; None between tasks."""

    what: str
    path: str | None
    queue: str
    seconds: float

    @property
    def words(self) -> str:
        return WORDS[self.what].format(self.queue)


def parts_of(
    path: Sequence[Step],
    called: datetime,
    due: datetime | None,
    at: datetime,
    queue: str,
    pauses: Sequence[tuple[datetime, datetime]],
) -> list[Part]:
    """The parts of the time from *called* to *at* along the tasks of a path. *due*, *queue*: of the workflow itself."""
    spent = _Spent(called, at, pauses)
    if not pauses:
        spent.until("later", due, path[0].called if path else None)
    for n, step in enumerate(path):
        spent.between("next" if n else "queue", step.called or at, queue)
        spent.task(step)
    spent.between("next" if path else "queue", at, queue)
    return spent.parts


class _Spent:
    """The parts of a time, one after the other."""

    def __init__(self, begin: datetime, end: datetime, pauses: Sequence[tuple[datetime, datetime]]) -> None:
        """*pauses*: from a failure of the workflow until somebody retried it."""
        self.parts: list[Part] = []
        self._since, self._end, self._pauses = begin, end, pauses

    def until(self, what: str, *moments: datetime | None, step: Step | None = None, queue: str = "") -> None:
        """Up to the first of these moments."""
        to = min(moment for moment in (*moments, self._end) if moment)
        if to > self._since:
            path = step.path if step else None
            self.parts.append(Part(what, path, queue if what == "queue" else "", (to - self._since).total_seconds()))
            self._since = to

    def between(self, what: str, to: datetime, queue: str = "") -> None:
        """Up to the call of a task, or the end."""
        for failed, again in self._pauses:
            if self._since < again and failed < to:
                self.until("earlier", failed)
                self.until("again", again, to)
        self.until(what, to, queue=queue)

    def task(self, step: Step) -> None:
        """From its call to its end."""
        end, runs = step.ended or self._end, step.runs
        has_begun = bool(runs) and runs[-1].outcome == step.state not in ("PENDING", "RETRY")
        for n, run in enumerate(runs):
            is_last = has_begun and run is runs[-1]
            if n or is_last:  # when the first of several was due is not known
                self.until("retry" if n else "later", run.started, step.due if is_last else None, step=step)
            self.until("queue", run.started, step=step, queue=step.queue)
            self.until("lost" if run.outcome == "LOST" else "run", end if is_last else run.ended, step=step)
        if not has_begun:
            self.until("retry" if runs else "later", step.due, end, step=step)
            self.until("queue", end, step=step, queue=step.queue)
