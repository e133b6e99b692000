"""Where the time of a workflow went, in one sentence."""

from collections import Counter
from collections.abc import Sequence

from ..values.short_text import duration_text
from .spent_time import WORDS, Part
from .workflow_steps import Step


def sentence(parts: Sequence[Part], path: Sequence[Step], waits_for: int | None) -> str:
    """`41.5 s: 38.0 s waiting (30.0 s in queue etl), 3.5 s running; etl.transform 3 of 9 decided the end`

    *waits_for*: how many tasks are called and have not ended; None: the workflow has.
    """
    spent, of_task = Counter[str](), Counter[str | None]()
    for part in parts:
        spent[part.words] += part.seconds  # type: ignore[assignment]
        of_task[part.path] += part.seconds  # type: ignore[assignment]
    whole, run, earlier = sum(spent.values()), spent.pop(WORDS["run"], 0), spent.pop(WORDS["earlier"], 0)
    where = ", ".join(f"{duration_text(s)} {words}" for words, s in spent.most_common(2) if s * 10 >= whole)
    text = f"{duration_text(whole)}{' so far' if waits_for is not None else ''}: "
    text += f"{duration_text(whole - run - earlier)} waiting{where and f' ({where})'}, {duration_text(run)} running"
    if earlier:
        text += f", {duration_text(earlier)} {WORDS['earlier']}"
    if waits_for and path and not path[-1].ended:
        others = f" and {waits_for - 1:,} more" if waits_for > 1 else ""
        return f"{text}; it waits for {_named(path[-1])}{others}"
    longest = max(path, key=lambda step: of_task[step.path], default=None)
    if longest is None or (len(path) == 1 and longest.of == 1):
        return text
    group = longest.path.rpartition(".")[0]
    later = [step for step in path if step.of > 1 and step.path.rpartition(".")[0] == group]
    return f"{text}; {_named(longest)} {'decided the end' if later[-1:] == [longest] else 'took longest'}"


def _named(step: Step) -> str:
    return f"{step.task} {step.number:,} of {step.of:,}" if step.of > 1 else step.task
