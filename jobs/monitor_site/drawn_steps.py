"""Which steps of a workflow a page draws: of large groups a few, the failed ones first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .workflow_steps import Step
from .workflow_times import Timeline

FOLDED = 10  # Members of a group that are all drawn; of a larger one FEW of them.
FEW, FEWER = 5, 2  # FEWER: of a group inside another that is not all drawn.
PAGE = 50
MOST = 200  # Rows of one page.

_ORDER = ("FAILURE", "REVOKED", "RETRY", "STARTED", "PENDING", "", "UNREAD", "SUCCESS", "SKIPPED")
"""Of large groups: what went wrong first, then what goes on."""


@dataclass(frozen=True)
class DrawnStep:
    step: Step
    depth: int
    on_path: bool  # Did it, or a task below it, decide when the workflow ended?
    is_callback: bool = False
    hidden: int = 0
    """If it is the row that ends the members of the step: how many of them have no row."""
    states: Counter[str] = field(default_factory=Counter)  # Of a group, chain or chord: how its tasks are.

    @property
    def is_folded(self) -> bool:
        return len(self.step.members) > FOLDED and self.step.kind == "group"


@dataclass(frozen=True)
class MembersPage:
    """A page of the members of one step, and how many there are in each state."""

    states: Counter[str]
    rows: list[DrawnStep]
    start: int
    size: int  # All that fit.


class Drawing:
    def __init__(self, timeline: Timeline) -> None:
        self._on_path = {above for step in timeline.path for above in _above(step.path)}
        self._left = MOST

    def whole(self, root: Step) -> list[DrawnStep]:
        """The step and what is below it, folded where it is much."""
        return list(self._rows(root, 0, FEW))

    def page(self, step: Step, state: str | None, start: int) -> MembersPage:
        """The step, and a page of its members: those in a state, or all; failed ones first, then those on the path."""
        fitting = [one for one in self._ordered(step.members) if state is None or one.state == state]
        rows = [self._drawn(step, 0)]
        for member in fitting[start : start + PAGE]:
            rows += self._rows(member, 1, FEWER)
        return MembersPage(Counter(one.state for one in step.members), rows, start, len(fitting))

    def _rows(self, step: Step, depth: int, few: int, is_callback: bool = False) -> Iterator[DrawnStep]:
        shown: Sequence[Step] = step.members
        if step.kind == "group" and len(shown) > FOLDED:
            shown, few = self._some(shown, few), FEWER
        self._left -= 1
        yield self._drawn(step, depth, is_callback)
        drawn = 0
        for member in shown:
            if self._left > 0:
                drawn += 1
                yield from self._rows(member, depth + 1, few)
        if hidden := len(step.members) - drawn:
            yield DrawnStep(step, depth + 1, on_path=False, hidden=hidden)
        for callback in step.callbacks[:FOLDED]:
            yield from self._rows(callback, depth + 1, few, is_callback=True)

    def _drawn(self, step: Step, depth: int, is_callback: bool = False) -> DrawnStep:
        states = Counter(task.state for task in step.tasks()) if step.kind != "task" else Counter[str]()
        return DrawnStep(step, depth, step.path in self._on_path, is_callback, states=states)

    def _some(self, steps: Sequence[Step], few: int) -> list[Step]:
        """A few of many, and among them one that decided the end."""
        shown = self._ordered(steps)[:few]
        last = [one for one in steps if one.path in self._on_path][-1:]
        return shown if not last or last[0] in shown else [*shown[:-1], *last]

    def _ordered(self, steps: Sequence[Step]) -> list[Step]:
        return sorted(steps, key=lambda one: (_ORDER.index(one.state), one.path not in self._on_path))


def _above(path: str) -> list[str]:
    """The path, and those of all nodes that it is below."""
    words = path.split(".") if path else []
    return [".".join(words[:depth]) for depth in range(len(words) + 1)]
