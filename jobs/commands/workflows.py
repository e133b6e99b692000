"""`workflows`: which there are, and one drawn as a tree with the states of its tasks."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from .. import monitor
from ..values.short_text import count, time_text
from .frame import Answer, Context, command_body
from .values import limit_option

ALL = sys.maxsize
MAX_DRAWN = 20  # Members of a group that are drawn; of a larger one, those that have not ended well come first.
NOT_CALLED = "-"


@click.command("workflows")
@click.argument("workflow_id", required=False, metavar="[ID]")
@limit_option("Workflows", 50)
@command_body
async def workflows_command(context: Context, workflow_id: str | None, limit: int) -> Answer:
    """The latest workflows; or one, drawn as a tree with the states of its tasks."""
    return await _latest(context, limit) if workflow_id is None else await _one(context, workflow_id)


async def _latest(context: Context, limit: int) -> Answer:
    rows = (await monitor.workflows(context.redis, limit=limit)).rows
    lines = []
    for row in rows:
        done = "" if row.total is None else f"{row.done} of {row.total}"
        lines.append("  ".join(word for word in (row.id, row.state, done, time_text(row.called)) if word))
    return Answer(rows, lines, [f"{count(len(rows), 'workflow')}."])


async def _one(context: Context, workflow_id: str) -> Answer:
    root = await monitor.workflow(context.redis, workflow_id, limit=ALL, inner=ALL)
    if root is None:
        raise click.ClickException(
            f"no workflow {workflow_id!r}: nobody has seen this id, its result has ended, or another version stored it"
        )
    counts = {state or NOT_CALLED: n for state, n in root.states.items()}
    summary = ", ".join(f"{n:,} {state or 'not called yet'}" for state, n in sorted(root.states.items()))
    data = {"id": workflow_id, "state": root.state, "states": counts, "tree": _as_data(root)}
    return Answer(data, [f"{workflow_id}: {root.state}", *_lines(root, "")], [f"{summary}."])


def _lines(node: monitor.WorkflowNode, indent: str) -> Iterator[str]:
    if node.kind == "task":
        yield f"{indent}{node.task}  {node.state or NOT_CALLED}  [{node.path or '-'}]"
        return
    yield f"{indent}{node.kind} of {f'{node.size:,}' if node.size else 'nothing'}"
    shown = node.members
    if node.size > MAX_DRAWN:
        shown = sorted(shown, key=lambda member: set(member.states) <= {"SUCCESS"})[:MAX_DRAWN]
    below = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
    for member in shown:
        last = member is shown[-1] and len(shown) == node.size
        yield from _lines(member, below + ("└─ " if last else "├─ "))
    if rest := node.size - len(shown):
        yield f"{below}└─ ... {rest:,} more"


def _as_data(node: monitor.WorkflowNode) -> dict[str, Any]:
    if node.kind == "task":
        return {"task": node.task, "path": node.path or "-", "state": node.state or None}
    return {node.kind: [_as_data(member) for member in node.members]}
