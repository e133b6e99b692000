"""`workflows`: which there are, and one drawn as a tree with the states of its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from jobs import keys, members, scripts
from jobs.canvas import Node, Signature, Workflow
from jobs.commands.frame import Answer, Asked, asks
from jobs.commands.show import count, moment, time_text
from jobs.connection import JobsRedis
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
    found = await asked.redis.zrange(keys.WORKFLOWS, 0, limit - 1, desc=True, withscores=True)
    data, lines = [], []
    for raw, called in found:
        workflow = raw.decode()
        state = await Result(workflow, asked.redis).state()
        if state == "UNKNOWN":
            continue
        progress = await Result(workflow, asked.redis).meta() or {}
        data.append({"id": workflow, "state": state, "called": moment(called), "progress": progress})
        done = f"{progress['done']} of {progress['total']}" if "total" in progress else ""
        lines.append("  ".join(word for word in (workflow, state, done, time_text(moment(called))) if word))
    return Answer(data, lines, [f"{count(len(data), 'workflow')}."])


async def _one(asked: Asked, workflow: str) -> Answer:
    tree = await members.tree_of(asked.redis, workflow)
    if tree is None:
        raise click.ClickException(
            f"no workflow {workflow!r}: nobody has seen this id, or its result has ended"
        )
    state = await Result(workflow, asked.redis).state()
    drawn = _drawn(tree, (), await _states(asked.redis, workflow, members.paths_of(tree)))
    data = {"id": workflow, "state": state, "states": dict(drawn.states()), "tree": _as_data(drawn)}
    return Answer(data, [f"{workflow}: {state}", *_lines(drawn, "")], [_summary(drawn)])


async def _states(redis: JobsRedis, workflow: str, paths: list[str]) -> dict[str, str]:
    states: dict[str, str] = {}
    for first in range(0, len(paths), 1000):
        some = paths[first : first + 1000]
        answers = await redis.run_script(scripts.MEMBER_STATES, workflow, *some)
        states |= {path: state.decode() or NOT_CALLED for path, state in zip(some, answers, strict=True)}
    return states


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
