"""The workflows: a list, and one as a tree that stays readable, and fast, with 10,000 members."""

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .. import encoding
from ..client.connection import JobsRedis
from ..errors import EncodingError
from ..store import scripts
from ..store.notifications import TERMINAL
from ..store.store import now
from ..store.stored_values import number
from ..store.stored_values import text as text_of
from ..tasks.declarations import known_tasks, secrets_by
from ..tasks.masking import masked
from ..workflows import member_ids, members
from ..workflows.stored_tree import Tree, kind_of
from .masked_call import MaskedCall
from .search import Page, find
from .workflow_steps import Step, steps_of

MEMBERS_SHOWN = 50  # Members of one node that are shown at a time; of a node inside another, INNER_MEMBERS_SHOWN.
INNER_MEMBERS_SHOWN = 10
LATEST = 1_000  # Workflows of which the longest are shown.


@dataclass(frozen=True)
class WorkflowRow:
    """A workflow in the list. The three numbers are what it last reported; None before it started."""

    id: str
    name: str  # Made of its tree: `chord of 9: etl.extract → etl.load`; '' where an earlier release has stored it.
    state: str
    called: datetime | None
    seconds: float  # From its call to its end, or until now.
    error: str  # Of one that failed or was revoked: the first line of why.
    done: int | None
    failed: int | None
    total: int | None


@dataclass(frozen=True)
class WorkflowNode:
    """A node of a workflow's tree: a group, chain or chord, or a task."""

    kind: str
    path: str  # From the root to it: `0.3`; '' is the root.
    id: str  # Of a task: its job, which need not have been called yet.
    task: str
    args: str  # Of a task: its own arguments in one line, masked; what the step before hands on is not among them.
    state: str  # Of a task; '' if it has not been called yet. Of the root: the workflow's.
    states: Mapping[str, int]
    """How many tasks below it are in each state; '' counts those that have not been called yet."""
    size: int
    start: int  # The number of the first member shown.
    members: list["WorkflowNode"] = field(default_factory=list)  # Some of its members: of a large node a page of them.


async def workflows(
    connection: JobsRedis, cursor: str = "", limit: int = 50, *, state: str = "", text: str = "", longest: bool = False
) -> Page[WorkflowRow]:
    """The workflows that fit, those called last first; with *longest*, those of them that took longest, of the last
    LATEST. *state* and *text* are those of `find`; a name has the tasks in it. ValueError: no such state or cursor."""
    found = await find(
        connection, state=state, text=text, cursor=cursor, limit=LATEST if longest else limit, workflows=True
    )
    at, rows = await now(connection), found.rows
    seconds = {row.id: ((row.finished or at) - (row.enqueued or at)).total_seconds() for row in rows}
    if longest:
        rows = sorted(rows, key=lambda row: seconds[row.id], reverse=True)[:limit]
    async with connection.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.hget(connection.key.RECORD + row.id, "meta")
        reported = map(_counts, await pipe.execute())
    shown = [
        WorkflowRow(row.id, row.name, row.state, row.enqueued, seconds[row.id], row.error, *counts)
        for row, counts in zip(rows, reported, strict=True)
    ]
    return Page(shown, "" if longest else found.next, found.looked_back_to)


async def workflow(
    connection: JobsRedis,
    workflow_id: str,
    path: str = "",
    start: int = 0,
    limit: int = MEMBERS_SHOWN,
    inner: int = INNER_MEMBERS_SHOWN,
) -> WorkflowNode | None:
    """The tree of a workflow, from the node at *path* on, and *limit* of that node's members, from *start* on; of each
    node below it *inner* members at most.

    Each node counts the states of all tasks below it. None: that is no workflow that this version can read, or its
    result has ended, or it has no such node.
    """
    tree = None
    with contextlib.suppress(EncodingError):
        tree = await members.tree_of(connection, workflow_id)
    if tree is None or _node_at(tree, path) is None:
        return None
    [[state, *_]] = await connection.run_script(scripts.READ, "", workflow_id)
    prefix, has_ended = member_ids.prefix_of(workflow_id, tree), text_of(state) in TERMINAL
    root = await steps_of(connection, workflow_id, prefix, tree, has_ended)
    step = root
    for word in path.split(".") if path else ():
        step = step.members[int(word)]
    secrets = secrets_by(await known_tasks(connection))

    def drawn(step: Step, start: int, limit: int) -> WorkflowNode:
        if step.kind == "task":
            args, kwargs = masked(step.task, step.tree.get("args", ()), step.tree.get("kwargs", {}), secrets)
            line = MaskedCall(step.task, args, kwargs, whole=True).line
            return WorkflowNode(step.kind, step.path, step.id, step.task, line, step.state, {step.state: 1}, 0, 0)
        inside = [drawn(member, 0, min(inner, limit)) for member in step.members[start : start + limit]]
        states, size = Counter(task.state for task in step.tasks()), len(step.members)
        return WorkflowNode(step.kind, step.path, "", "", "", "", states, size, start, inside)

    found = drawn(step, max(start, 0), limit)
    return found if path or found.kind == "task" else replace(found, state=text_of(state))


def _node_at(tree: Tree, path: str) -> Tree | None:
    for word in path.split(".") if path else ():
        kind, position = kind_of(tree), number(word)
        if kind == "task" or position is None or position >= len(tree[kind]):
            return None
        tree = tree[kind][position]
    return tree


def _counts(meta: bytes | None) -> list[int | None]:
    """How many have ended, failed and there are, as the workflow has reported."""
    progress: Any = None
    with contextlib.suppress(EncodingError):  # not written by us
        progress = encoding.loads(meta) if meta else None
    counts = [progress.get(name) if isinstance(progress, Mapping) else None for name in ("done", "failed", "total")]
    return [n if isinstance(n, int) else None for n in counts]
