"""Arguments on their way out as plain data, and results on their way back as what the annotations of tasks say.

Only tasks that this process knows have annotations. What a workflow hands from one task to the next stays plain data:
each rebuilds it by its own.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

from ..errors import DoesNotFit
from ..tasks import registry
from ..tasks.masking import MAPS
from ..tasks.parameters import ANNOTATED, Annotations
from ..workflows.canvas import Node, Signature, Workflow, group
from ..workflows.task_table import names_of

_BEFORE = {"link": 1, "link_error": 3}  # How many arguments come before a callback's own.


def annotations_of(task: str) -> Annotations | None:
    """What the annotations of a task ask for, if this process knows it and they ask for anything."""
    known = registry.find(task) if task in ANNOTATED else None
    return None if known is None else known.parameters.annotations


def has_annotations(node: Node) -> bool:
    """Does it call a task whose annotations ask for anything?"""
    return bool(ANNOTATED) and not ANNOTATED.isdisjoint(names_of(node))


def with_plain_data(node: Node, before: int = 0) -> Node:
    """The same calls with plain data for arguments; *before*: how many others will come before its own."""
    before = 0 if node.immutable else before
    if isinstance(node, Workflow):
        if not has_annotations(node):
            return node
        first = len(node.tasks) if isinstance(node, group) else 1  # they are called first, with its arguments
        tasks = [with_plain_data(task.clone(node.args, node.kwargs), before) for task in node.tasks[:first]]
        tasks += [with_plain_data(task, 1) for task in node.tasks[first:]]
        node = node._with(args=(), kwargs={}, tasks=tuple(tasks))
    elif isinstance(node, Signature) and node.task in MAPS and len(node.args) == 2:
        node = node._with(args=_plain_map(*node.args, each_is_all=MAPS[node.task]))
    elif isinstance(node, Signature) and (own := annotations_of(node.task)) is not None:
        args, kwargs = own.arguments("write", node.args, node.kwargs, before)
        node = node._with(args=args, kwargs=kwargs)
    return node._with(options=plain_callbacks(node.options)) if node.options else node


def plain_callbacks(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call, with plain data in what follows it."""
    found = {name: options[name] for name in _BEFORE if options.get(name)}
    return {**options, **{name: tuple(with_plain_data(one, _BEFORE[name]) for one in found[name]) for name in found}}


def kept_of(node: Node) -> Node | None:
    """What a Result has to keep of what was called, to rebuild what it gave; None if nothing."""
    if not has_annotations(node):
        return None
    return Signature(node.task) if isinstance(node, Signature) and node.task not in MAPS else node


def rebuilt(node: Node, plain: Any) -> Any:
    """The result of what was called; DoesNotFit if an annotation says otherwise. None may be one that was not kept."""
    if plain is None:
        return None
    if isinstance(node, Signature) and node.task not in MAPS:
        own = annotations_of(node.task)
        return plain if own is None else own.result("read", plain)
    if isinstance(node, Workflow) and not isinstance(node, group):
        return rebuilt(node.tasks[-1], plain) if node.tasks else plain
    members = [*_listed(node)]
    if type(plain) is not list or len(plain) != len(members):
        raise DoesNotFit(f"this id is that of another call: {len(members)} results are expected")
    pairs, errors = zip(members, plain, strict=True), BaseException  # with return_exceptions=True
    return [one if isinstance(one, errors) else rebuilt(member, one) for member, one in pairs]


def node_at(node: Node | None, place: str) -> Node | None:
    """The member of a workflow that has this place."""
    for number in place.split("."):
        members = node.tasks if isinstance(node, Workflow) else ()
        node = members[int(number)] if int(number) < len(members) else None
    return node


def _listed(node: Node) -> Iterator[Node]:
    """Whose results the list of a group, or of a map, holds."""
    if isinstance(node, Signature):
        yield from repeat(Signature(node.args[0]["task"]), len(node.args[1]))
    for member in node.tasks if isinstance(node, Workflow) else ():
        yield from _listed(member) if isinstance(member, group) else (member,)


def _plain_map(tree: Mapping[str, Any], items: Any, *, each_is_all: bool) -> tuple[Any, Any]:
    if (own := annotations_of(tree["task"])) is None:
        return tree, items
    plain = [own.arguments("write", item if each_is_all else (item,), {})[0] for item in items]
    args, kwargs = own.arguments("write", tree.get("args", ()), tree.get("kwargs", {}), len(plain[0]) if plain else 1)
    shown = [list(item) if each_is_all else item[0] for item in plain]
    return {**tree, "args": list(args), "kwargs": kwargs}, shown
