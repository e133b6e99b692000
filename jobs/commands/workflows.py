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
@click.option("--state", default="", help="Only these: a state, waiting, scheduled or ended.")
@click.option("--text", default="", help="Only those with this in name, error or id.")
@click.option("--longest", is_flag=True, help="Those that took longest first, of the last 1,000.")
@limit_option("Workflows", 50)
@command_body
async def workflows_command(context: Context, workflow_id: str | None, **wanted: Any) -> Answer:
    """The latest workflows; or one, drawn as a tree with the states of its tasks."""
    return await _list(context, **wanted) if workflow_id is None else await _one(context, workflow_id)


async def _list(context: Context, **wanted: Any) -> Answer:
    rows = (await monitor.workflows(context.redis, **wanted)).rows
    lines = []
    for row in rows:
        done = "" if row.total is None else f"{row.done} of {row.total}"
        failed = f"{row.failed} failed" if row.failed else ""
        words = (row.id, row.state, done, failed, f"{row.seconds:.1f} s", time_text(row.called), row.name)
        lines.append("  ".join(word for word in words if word))
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
