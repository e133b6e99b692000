"""Steps of a workflow as bars on a time axis: grey while they wait, in the colour of the outcome while they run."""

from dataclasses import dataclass
from datetime import datetime

from .time_scale import Scale
from .workflow_steps import Step

LEVELS = 5
LEAST = 0.8  # The width of the shortest run: one of a millisecond must be seen, if it failed.


@dataclass(frozen=True)
class Bar:
    """`kind`: wait; retry, an attempt that another followed; node, of a group, chain or chord from its first start on;
    or of-SUCCESS and so on. `level`: how dense, from 1 to LEVELS."""

    x: float
    width: float
    kind: str
    level: int = LEVELS


def bars_of(step: Step, scale: Scale, at: datetime) -> list[Bar]:
    """The bars of one row. *at*: now, or the end of the workflow."""
    if not step.called:
        return []
    end = step.ended or at
    if step.kind != "task":
        first = min((task.runs[0].started for task in step.tasks() if task.runs), default=end)
        return [between(scale, step.called, first, "wait"), between(scale, first, end, "node")]
    bars = [between(scale, step.called, end, "wait")]
    for run in step.runs:
        is_last = run is step.runs[-1] and run.outcome == step.state != "RETRY"
        kind = f"of-{run.outcome}" if is_last else "retry"
        bars.append(between(scale, run.started, run.ended or end, kind, LEAST))
    return bars


def between(scale: Scale, begin: datetime, end: datetime, kind: str, least: float = 0) -> Bar:
    """The bar from one moment to another, *least* units wide at least."""
    x = scale.x(begin)
    return Bar(min(x, 100 - least), round(max(scale.x(end) - x, least), 3), kind)
