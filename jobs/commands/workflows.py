"""`workflows`: which there are, and one drawn as a tree with the states of its tasks, and where its time went."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from ..monitor_site import SKIPPED, Step, Timeline, every, timeline, times_of, workflows
from ..values.short_text import count, duration_text, time_text
from .frame import Answer, Context, command_body
from .values import limit_option

MAX_DRAWN = 20  # Members of a group that are drawn; of a larger one, those that have not ended well come first.
NOT_CALLED = "-"


@click.command("workflows")
@click.argument("workflow_id", required=False, metavar="[ID]")
@click.option("--state", default="", help="Only these: a state, waiting, scheduled or ended.")
@click.option("--text", default="", help="Only those with this in name, error or id.")
@click.option("--longest", is_flag=True, help="Those that took longest first, of the last 1,000.")
@limit_option("Workflows", 50)
@command_body
async def workflows_command(context: Context, workflow_id: str | None, **wanted: Any) -> Answer:
    """The latest workflows; or one, drawn as a tree, with the time of each task and where that of the whole went."""
    return await _list(context, **wanted) if workflow_id is None else await _one(context, workflow_id)


async def _list(context: Context, **wanted: Any) -> Answer:
    rows = (await workflows(context.redis, **wanted)).rows
    lines = []
    for row in rows:
        done = "" if row.total is None else f"{row.done} of {row.total}"
        failed = f"{row.failed} failed" if row.failed else ""
        words = (row.id, row.state, done, failed, duration_text(row.seconds), time_text(row.called), row.name)
        lines.append("  ".join(word for word in words if word))
    return Answer(rows, lines, [f"{count(len(rows), 'workflow')}."])


async def _one(context: Context, workflow_id: str) -> Answer:
    found = await timeline(context.redis, workflow_id)
    if found is None:
        raise click.ClickException(
            f"no workflow {workflow_id!r}: nobody has seen this id, its result has ended, or another version stored it"
        )
    counts = Counter(task.state or NOT_CALLED for task in found.root.tasks())
    summary = ", ".join(f"{n:,} {state}" for state, n in sorted(counts.items()))
    data = {"id": workflow_id, "name": found.name, "state": found.state, "called": found.called, "ended": found.ended,
            "seconds": found.seconds, "runs": found.runs, "sentence": found.sentence, "parts": found.parts,
            "states": counts, "steps": times_of(found, every(found.root))}  # fmt: skip
    head = [f"{workflow_id}: {found.state}", found.name, f"{found.sentence}."]
    return Answer(data, [*head, *_lines(found, found.root, "")], [f"{summary}."])


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
