"""`workflows`: which there are, and one drawn as a tree with the states of its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from ..client.result import Result
from ..monitor.workflow_list import workflows
from ..workflows import member_ids, members
from ..workflows.members import States
from ..workflows.stored_tree import Tree, kind_of
from .frame import Answer, Asked, asks
from .show import count, time_text
from .values import limit_option

MOST_DRAWN = 20
"""Members of a group that are drawn; of a larger one, those that have not ended well come first."""
NOT_CALLED = "-"
_NAMES = {NOT_CALLED: "not called yet"}


@click.command("workflows")
@click.argument("workflow_id", required=False, metavar="[ID]")
@limit_option("Workflows", 50)
@asks
async def workflows_command(asked: Asked, workflow_id: str | None, limit: int) -> Answer:
    """The latest workflows; or one, drawn as a tree with the states of its tasks."""
    return await _latest(asked, limit) if workflow_id is None else await _one(asked, workflow_id)


async def _latest(asked: Asked, limit: int) -> Answer:
    rows = (await workflows(asked.redis, limit=limit)).rows
    lines = []
    for row in rows:
        done = "" if row.total is None else f"{row.done} of {row.total}"
        lines.append("  ".join(word for word in (row.id, row.state, done, time_text(row.called)) if word))
    return Answer([asdict(row) for row in rows], lines, [f"{count(len(rows), 'workflow')}."])


async def _one(asked: Asked, workflow: str) -> Answer:
    tree = await members.tree_of(asked.redis, workflow)
    if tree is None:
        raise click.ClickException(
            f"no workflow {workflow!r}: nobody has seen this id, or its result has ended"
        )
    state = await Result(workflow, asked.redis).state()
    states = await members.states_of(asked.redis, workflow, member_ids.prefix_of(workflow, tree), tree)
    counts = {state or NOT_CALLED: n for state, n in states.below("").items()}
    summary = ", ".join(f"{n:,} {_NAMES.get(state, state)}" for state, n in sorted(counts.items()))
    data = {"id": workflow, "state": state, "states": counts, "tree": _as_data(tree, "", states)}
    return Answer(data, [f"{workflow}: {state}", *_lines(tree, "", states, "")], [f"{summary}."])


def _lines(node: Tree, place: str, states: States, indent: str) -> Iterator[str]:
    kind = kind_of(node)
    if kind == "task":
        yield f"{indent}{node[kind]}  {states.of(place) or NOT_CALLED}  [{place or '-'}]"
        return
    inner = dict(members.inside(node, place))
    yield f"{indent}{kind} of {f'{len(inner):,}' if inner else 'nothing'}"
    shown = list(inner)
    if len(inner) > MOST_DRAWN:
        shown = sorted(inner, key=lambda place: set(states.below(place)) <= {"SUCCESS"})[:MOST_DRAWN]
    below = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
    for member in shown:
        last = member == shown[-1] and len(shown) == len(inner)
        yield from _lines(inner[member], member, states, below + ("└─ " if last else "├─ "))
    if rest := len(inner) - len(shown):
        yield f"{below}└─ ... {rest:,} more"


def _as_data(node: Tree, place: str, states: States) -> dict[str, Any]:
    kind = kind_of(node)
    if kind == "task":
        return {"task": node[kind], "path": place or "-", "state": states.of(place) or None}
    return {kind: [_as_data(member, inner, states) for inner, member in members.inside(node, place)]}
