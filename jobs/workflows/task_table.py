"""Settles what the tasks of stored calls say of them: their queues and expiries.

The process that calls a workflow, or a task with callbacks, knows their tasks, or asks Redis what workers have
declared. The worker that makes their calls later may not know them: so the answer is stored, in the root of the tree.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..tasks import registry
from ..tasks.call_options import CALLBACKS
from ..tasks.declarations import KnownTask, KnownTasks
from ..tasks.masking import MAPS
from ..tasks.options import TaskOptions
from .canvas import Node, Signature, Workflow

_TASKS: Final = "tasks"  # Where a stored tree has task -> [queue, expires].

Own: TypeAlias = KnownTask | TaskOptions
Settled: TypeAlias = KnownTasks  # By task: what was settled before, or declared by workers.
NOTHING: Final[Settled] = {}


def settled(node: Node, known: Settled) -> dict[str, Any]:
    """The tree as it is stored, with what is known of its tasks: by *known*, else by this process."""
    owns = {name: known.get(name) or _registered(name) for name in names_of(node)}
    table = {name: [own.queue, own.expires] for name, own in owns.items() if own is not None}
    return node.to_dict() | ({_TASKS: table} if table else {})


def read_settled(tree: Mapping[str, Any]) -> Settled:
    """What was settled of the tasks of a stored tree; nothing for one that an earlier release has stored."""
    return {name: KnownTask(queue, expires=expires) for name, (queue, expires) in tree.get(_TASKS, {}).items()}


def own_of(name: str, args: Sequence[Any], known: Settled) -> Own:
    """What its task says of a call. Of a task that nobody knows: the default queue, for ever."""
    if name in MAPS and (mapped := _mapped(args)):
        own, given = own_of(mapped["task"], mapped.get("args", ()), known), mapped.get("options", {})
        return KnownTask(given.get("queue") or own.queue, expires=given.get("expires", own.expires))
    return known.get(name) or _registered(name) or KnownTask()


def first_queue(node: Node, known: Settled) -> str:
    """The queue of the task that a workflow calls first; '' if it calls none."""
    if queue := node.options.get("queue"):
        return str(queue)
    if isinstance(node, Signature):
        return own_of(node.task, node.args, known).queue
    members = node.tasks if isinstance(node, Workflow) else ()
    return next(filter(None, (first_queue(member, known) for member in members)), "")


def strangers(calls: Iterable[tuple[Node, Mapping[str, Any]]]) -> set[str]:
    """The tasks of workflows, maps and callbacks that this process does not know; not those called by themselves."""
    found: set[str] = set()
    for node, options in calls:
        if not isinstance(node, Signature) or node.task in MAPS:
            found |= names_of(node)
        if node.options or options:
            for callback in (*callbacks_of(node.options), *callbacks_of(options)):
                found |= names_of(callback)
    return {name for name in found - MAPS.keys() if registry.find(name) is None} if found else found


def names_of(node: Node) -> set[str]:
    """All tasks that may be called: members, callbacks, and those that a map calls."""
    found: set[str] = set()
    for here in nodes_in(node):
        if isinstance(here, Signature):
            found.add(here.task)
            if here.task in MAPS and (mapped := _mapped(here.args)):
                found.add(mapped["task"])
    return found


def nodes_in(node: Node) -> Iterator[Node]:
    """The node itself, all that is in it, and their callbacks."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        if isinstance(here, Workflow):
            waiting += here.tasks
        if here.options:
            waiting += callbacks_of(here.options)


def callbacks_of(options: Mapping[str, Any]) -> Iterable[Node]:
    for name in CALLBACKS & options.keys() if options else ():
        yield from options[name] or ()


def _mapped(args: Sequence[Any]) -> Mapping[str, Any] | None:
    """The call that a map makes of each item, as it is stored."""
    tree = args[0] if args else None
    return tree if isinstance(tree, Mapping) and "task" in tree else None


def _registered(name: str) -> Own | None:
    task = registry.find(name)
    return None if task is None else task.options
