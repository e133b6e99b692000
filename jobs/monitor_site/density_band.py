"""A large group as one row: how many of its tasks waited, ran and failed in each part of the time."""

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from .step_bars import LEVELS, Bar
from .time_scale import Scale
from .workflow_steps import Step

COLUMNS = 120


@dataclass(frozen=True)
class Band:
    waiting: list[Bar]
    running: list[Bar]
    failed: list[Bar]
    most_running: int  # At the same time.
    failures: int


class _Columns:
    """How many there are in each part of the time."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._changes = [0] * (COLUMNS + 1)

    def add(self, begin: datetime, end: datetime) -> None:
        first, last = (min(int(self._scale.x(one) * COLUMNS / 100), COLUMNS - 1) for one in (begin, end))
        self._changes[first] += 1
        self._changes[last + 1] -= 1

    def bars(self, kind: str) -> list[Bar]:
        """One for each run of columns of the same level; none where there is nothing."""
        counts, width = list(accumulate(self._changes))[:COLUMNS], 100 / COLUMNS
        most, bars = max(counts), list[Bar]()
        levels = [-(-n * LEVELS // most) if most else 0 for n in counts]
        first = 0
        for column in range(1, COLUMNS + 1):
            if column == COLUMNS or levels[column] != levels[first]:
                if levels[first]:
                    x, end = round(first * width, 3), round(column * width, 3)
                    bars.append(Bar(x, round(end - x, 3), kind, levels[first]))
                first = column
        return bars


def band_of(step: Step, scale: Scale, at: datetime) -> Band:
    """What happened below a large group. *at*: now, or the end of the workflow."""
    waiting, running, failed = (_Columns(scale) for _ in range(3))
    changes, failures = list[tuple[datetime, int]](), 0
    for task in step.tasks():
        if not task.called:
            continue
        end = task.ended or at
        waiting.add(task.called, task.runs[0].started if task.runs else end)
        for run in task.runs:
            running.add(run.started, run.ended or end)
            changes += [(run.started, 1), (run.ended or end, -1)]
        if task.state in ("FAILURE", "REVOKED"):
            failures += 1
            failed.add(end, end)
    most = max(accumulate(change for _, change in sorted(changes)), default=0)
    return Band(waiting.bars("wait"), running.bars("of-STARTED"), failed.bars("of-FAILURE"), most, failures)
