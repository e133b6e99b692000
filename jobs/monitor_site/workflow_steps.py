"""A workflow's tree with what is known of each task: its state, and when it was called, ran and ended."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..client.connection import JobsRedis
from ..client.job_info import Attempt
from ..store.stored_values import moment, moment_of, whole
from ..workflows import members
from ..workflows.canvas import LINK, LINK_ERROR
from ..workflows.stored_tree import Tree, kind_of

SKIPPED = "SKIPPED"  # Not called, and never will be: the workflow has ended, or a step before it has failed.
UNREAD, FIRST, LAST = "UNREAD", 19_000, 1_000  # Of more tasks than these, the others are not looked at.
_OPEN = frozenset({"", "PENDING", "STARTED", "RETRY"})


@dataclass(slots=True, eq=False)
class Step:
    """A node of a workflow's tree. The times of a group, chain or chord are the first and the last ones below it; times
    are None where records are forgotten."""

    path: str  # From the root to it: `0.3`; '' is the root.
    kind: str  # task, group, chain or chord.
    tree: Tree = field(repr=False)
    number: int = 0  # Its place in the group that it is a member of, from 1; below a member of one, the member's.
    of: int = 0  # How many members that group has.
    id: str = ""  # Of a task: its job, which need not have been called yet.
    state: str = ""  # A job's, '' if it was not called yet, SKIPPED, or UNREAD.
    queue: str = ""
    called: datetime | None = None
    due: datetime | None = None  # For its last run.
    ended: datetime | None = None
    runs: list[Attempt] = field(default_factory=list)  # The last 20, without their texts.
    members: list["Step"] = field(default_factory=list)
    callbacks: list["Step"] = field(default_factory=list)  # Those that it has called itself, and waited for.

    @property
    def task(self) -> str:
        return str(self.tree.get("task", ""))

    def tasks(self) -> Iterator["Step"]:
        """The tasks below it, or it itself; callbacks are not among them."""
        if self.kind == "task":
            yield self
        for member in self.members:
            yield from member.tasks()


async def steps_of(connection: JobsRedis, workflow: str, prefix: str, tree: Tree, has_ended: bool) -> Step:
    """The steps of a stored tree as they are now. *prefix*: of the ids of members, see members."""
    tasks = list[Step]()
    root = _step(Step("", kind_of(tree), tree), tasks)
    for step in tasks:
        step.id, step.state = f"{prefix}{step.path or '-'}", UNREAD
    read = [*tasks[:FIRST], *tasks[max(len(tasks) - LAST, FIRST) :]]
    rows = await members.rows_of(connection, workflow, prefix, [step.path or "-" for step in read])
    for step, row in zip(read, rows, strict=True):
        _fill(step, *row)
    _sum_up(root, has_ended)
    return root


def _step(step: Step, tasks: list[Step]) -> Step:
    """The step with all that is below it; *tasks* gets those that are tasks."""
    kind, tree, above = step.kind, step.tree, f"{step.path}." if step.path else ""
    if kind == "task":
        tasks.append(step)
        return step
    for n, member in enumerate(tree[kind]):
        number, of = (n + 1, len(tree[kind])) if kind == "group" else (step.number, step.of)
        step.members.append(_step(Step(f"{above}{n}", kind_of(member), member, number, of), tasks))
        if "task" in member and "options" in member:  # called by the workflow if the task was skipped, else by its job
            step.callbacks += _callbacks(member, f"{above}{n}.{LINK_ERROR}.", "link_error", tasks)
    for mark, option in ((LINK, "link"), (LINK_ERROR, "link_error")):
        step.callbacks += _callbacks(tree, f"{above}{mark}.", option, tasks)
    return step


def _callbacks(tree: Tree, above: str, option: str, tasks: list[Step]) -> list[Step]:
    trees = tree.get("options", {}).get(option) or ()
    return [_step(Step(f"{above}{n}", kind_of(callback), callback), tasks) for n, callback in enumerate(trees)]


def _fill(step: Step, state: str, *fields: Any) -> None:
    """What members.lua has found."""
    step.state = state
    if not fields:
        return
    called, due, started, ended, queue, worker, attempts, runs = fields
    step.called, step.due, step.ended, step.queue = _time(called), _time(due), _time(ended), queue or ""
    with contextlib.suppress(ValueError, TypeError):  # up to what something else has written there
        for number, on, began, ends, outcome in runs:
            step.runs.append(Attempt(int(number), str(on), moment_of(began), moment_of(ends), str(outcome), ""))
    if state in ("STARTED", "SUCCESS") and (began := _time(started)):
        step.runs.append(Attempt(whole(attempts or ""), worker or "", began, step.ended, state, ""))


def _time(raw: Any) -> datetime | None:
    """As `moment`, in a fifth of the time where it is a number as scripts write it."""
    try:
        return datetime.fromtimestamp(int(raw) / 1000, UTC) if raw else None
    except (ValueError, OverflowError, OSError):
        return moment(raw)


def _sum_up(step: Step, over: bool) -> None:
    """Set the states and times of nodes from those below them. *over*: what was not called below it never will be."""
    for member in step.members:
        _sum_up(member, over)
        over = over or (step.kind != "group" and member.state in ("FAILURE", "REVOKED"))
    for callback in step.callbacks:
        _sum_up(callback, over)
    step.callbacks = [callback for callback in step.callbacks if callback.called]
    if step.kind == "task":
        step.state = step.state or (SKIPPED if over else "")
        return
    step.state = _state_of({member.state for member in step.members}, step.tree.get("options", {}))
    below = [*step.members, *step.callbacks]
    step.called = min((one.called for one in below if one.called), default=None)
    if step.state not in _OPEN:
        step.ended = max((one.ended for one in below if one.ended), default=None)


def _state_of(states: set[str], options: Tree) -> str:
    if len(states - {UNREAD}) < 2 and states <= {"", SKIPPED, UNREAD}:
        return max(states - {UNREAD}, default=UNREAD)
    if states & _OPEN:
        return "STARTED"
    if states & {"FAILURE", "REVOKED"} and not options.get("return_exceptions"):
        return "FAILURE"
    return "REVOKED" if SKIPPED in states else "SUCCESS"
