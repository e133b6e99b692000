"""A workflow drawn as a tree of lines, for the command line."""

from collections.abc import Iterator

from ..values.short_text import duration_text
from .workflow_steps import SKIPPED, Step
from .workflow_times import Timeline

MAX_DRAWN = 20  # Members of a group that are drawn; of a larger one, those that have not ended well come first.
NOT_CALLED = "-"


def tree_lines(found: Timeline) -> list[str]:
    """Its state, its name, where its time went, and each step with its times; `*` marks what decided the end."""
    head = [f"{found.id}: {found.state}", found.name, f"{found.sentence}."]
    return [*head, *_lines(found, found.root, "")]


def _lines(found: Timeline, step: Step, indent: str) -> Iterator[str]:
    words = ["*"] if step in found.path else []
    words.append(step.task or step.kind + (f" of {len(step.members):,}" if step.kind != "chord" else ""))
    words += [step.state or NOT_CALLED, f"[{step.path or '-'}]"]
    if (begin := found.begins(step)) is not None:
        waited, ran = found.spent(step)
        words.append(f"at {duration_text(begin)}: waited {duration_text(waited)}, ran {duration_text(ran)}")
    yield f"{indent}{' '.join(words)}"
    steps = [*step.members, *step.callbacks]
    if len(steps) > MAX_DRAWN:  # failed ones first, then those that decided the end
        steps.sort(key=lambda one: (one.state in ("SUCCESS", SKIPPED), one not in found.path))
    below = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
    for n, one in enumerate(steps[:MAX_DRAWN], 1):
        yield from _lines(found, one, below + ("└─ " if n == len(steps) else "├─ "))
    if rest := len(steps[MAX_DRAWN:]):
        yield f"{below}└─ ... {rest:,} more"
