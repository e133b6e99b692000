"""`workflows`: which there are, and one drawn as a tree with the states of its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from jobs import members
from jobs.canvas import Node, Signature, Workflow
from jobs.commands.frame import Answer, Asked, asks
from jobs.commands.show import count, time_text
from jobs.monitor.workflows import workflows
from jobs.result import Result

MOST_DRAWN = 20
"""Members of a group that are drawn; of a larger one, those that have not ended well come first."""
NOT_CALLED = "-"


@dataclass(frozen=True)
class Drawn:
    """A node of the tree as it is shown."""

    what: str
    path: str = ""
    state: str = ""
    members: list[Drawn] = field(default_factory=list)

    def states(self) -> Counter[str]:
        """How many of its tasks are in each state."""
        if not self.members:
            return Counter([self.state] if self.state else [])
        return sum((member.states() for member in self.members), Counter[str]())


@click.command("workflows")
@click.argument("workflow_id", required=False, metavar="[ID]")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Workflows at most."
)
@asks
async def command(asked: Asked, workflow_id: str | None, limit: int) -> Answer:
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
    paths = members.paths_of(tree)
    letters = await members.letters_of(asked.redis, workflow, paths)
    states = {path: members.STATES[letter] or NOT_CALLED for path, letter in zip(paths, letters, strict=True)}
    drawn = _drawn(tree, (), states)
    data = {"id": workflow, "state": state, "states": dict(drawn.states()), "tree": _as_data(drawn)}
    return Answer(data, [f"{workflow}: {state}", *_lines(drawn, "")], [_summary(drawn)])


def _drawn(node: Node, path: tuple[int, ...], states: dict[str, str]) -> Drawn:
    if isinstance(node, Workflow):
        inner = [_drawn(member, (*path, number), states) for number, member in enumerate(node.tasks)]
        return Drawn(type(node).__name__, members.place(path), members=inner)
    assert isinstance(node, Signature)
    place = members.place(path)
    return Drawn(node.task, place, states[place])


def _lines(node: Drawn, indent: str) -> Iterator[str]:
    if not node.members:
        yield (
            f"{indent}{node.what}  {node.state}  [{node.path}]"
            if node.state
            else f"{indent}{node.what} of nothing"
        )
        return
    yield f"{indent}{node.what} of {len(node.members):,}"
    shown = node.members
    if len(shown) > MOST_DRAWN:
        shown = sorted(shown, key=lambda member: set(member.states()) <= {"SUCCESS"})[:MOST_DRAWN]
    inner = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
    for member in shown:
        last = member is shown[-1] and len(shown) == len(node.members)
        yield from _lines(member, inner + ("└─ " if last else "├─ "))
    if rest := len(node.members) - len(shown):
        yield f"{inner}└─ ... {rest:,} more"


def _summary(node: Drawn) -> str:
    names = {NOT_CALLED: "not called yet"}
    return ", ".join(f"{n:,} {names.get(state, state)}" for state, n in sorted(node.states().items())) + "."


def _as_data(node: Drawn) -> dict[str, Any]:
    if not node.members:
        return {
            "task": node.what,
            "path": node.path,
            "state": None if node.state == NOT_CALLED else node.state,
        }
    return {node.what: [_as_data(member) for member in node.members]}
