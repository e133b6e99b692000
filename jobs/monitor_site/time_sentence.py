"""Where the time of a workflow went, in one sentence."""

from collections import Counter
from collections.abc import Sequence

from ..monitor.workflow_steps import Step
from ..values.short_text import duration_text
from .spent_time import Part

_WAITS = {
    "queue": "in queue {}",
    "later": "until due",
    "retry": "between attempts",
    "lost": "for a worker that died",
    "next": "between steps",
    "again": "until it was retried",
}


def sentence(parts: Sequence[Part], path: Sequence[Step], goes_on: bool) -> str:
    """`41.5 s: 38.0 s waiting (30.0 s in queue etl), 3.5 s running; etl.transform 3 of 9 decided the end`"""
    spent, of_task = Counter[tuple[str, str]](), Counter[str | None]()
    for part in parts:
        spent[part.what, part.queue] += part.seconds  # type: ignore[assignment]
        of_task[part.path] += part.seconds  # type: ignore[assignment]
    whole, run, earlier = sum(spent.values()), spent.pop(("run", ""), 0), spent.pop(("earlier", ""), 0)
    most = [(what, s) for what, s in spent.most_common(2) if s * 10 >= whole]
    where = ", ".join(f"{duration_text(s)} {_WAITS[what].format(queue)}" for (what, queue), s in most)
    text = f"{duration_text(whole)}{' so far' if goes_on else ''}: {duration_text(whole - run - earlier)} waiting"
    text += f"{f' ({where})' if where else ''}, {duration_text(run)} running"
    if earlier:
        text += f", {duration_text(earlier)} in an earlier run"
    if goes_on and path and not path[-1].ended:
        return f"{text}; it waits for {_named(path[-1])}"
    grouped = [step for step in path if step.of > 1]
    longest = max(grouped or path, key=lambda step: of_task[step.path], default=None)
    if longest is None or len(path) + len(grouped) == 1:
        return text
    later = [step for step in grouped if step.path.rpartition(".")[0] == longest.path.rpartition(".")[0]]
    return f"{text}; {_named(longest)} {'decided the end' if later[-1:] == [longest] else 'took longest'}"


def _named(step: Step) -> str:
    return f"{step.task} {step.number:,} of {step.of:,}" if step.of > 1 else step.task
