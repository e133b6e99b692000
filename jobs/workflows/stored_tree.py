"""Reads what `to_dict` of a node has written: the form in which workflows are stored and sent; and makes the short name
of a workflow of it, `chord of 9: etl.extract → etl.load`."""

import gc
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgpack

from .. import encoding
from ..errors import EncodingError
from ..tasks.call_options import CALLBACKS
from ..tasks.masking import MAPS
from ..values.short_text import CUT, cut
from .canvas import Node, Signature, chain, chord, group
from .node import FORMAT

WORKFLOWS: dict[str, type[group | chain | chord]] = {"group": group, "chain": chain, "chord": chord}
KINDS = frozenset(("task", *WORKFLOWS))

_PLACE = re.compile(r"-|(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8}))*")

Tree: TypeAlias = Mapping[str, Any]
"""A node as it is stored: who only looks needs no more, and has it in a tenth of the time."""


def read(stored: bytes) -> Tree:
    """The tree that was stored, for those who look at it."""
    collects = gc.isenabled()
    gc.disable()  # it has no cycles: going over its 100,000 new lists again and again would be most of the work
    try:
        tree: Tree = encoding.loads_wrapped(stored)
    finally:
        if collects:
            gc.enable()
    return _checked(tree)


def kind_of(node: Tree) -> str:
    """group, chain, chord or task."""
    return next((kind for kind in WORKFLOWS if kind in node), "task")


def along(stored: bytes, place: str) -> list[Tree] | None:
    """The nodes from the root to *place*, each without its members; None if there is none. It skips the others."""
    if not _PLACE.fullmatch(place):
        return None
    path = [] if place == "-" else [int(number) for number in place.split(".")]
    try:
        nodes = _along(encoding.unpacker(stored), path)
    except (ValueError, TypeError, msgpack.UnpackException):  # somebody else wrote it
        return None
    return nodes if len(nodes) == len(path) + 1 else None


def _along(unpacker: Any, path: list[int]) -> list[Tree]:
    node: dict[str, Any] = {}
    below: list[Tree] = []
    for _ in range(unpacker.read_map_header()):
        name = unpacker.unpack()
        if name not in WORKFLOWS:
            node[name] = unpacker.unpack()
            continue
        node[name] = ()
        for place in range(unpacker.read_array_header()):
            if path and place == path[0]:
                below = _along(unpacker, path[1:])
            else:
                unpacker.skip()
    return [node, *below]


def from_dict(tree: Mapping[str, Any]) -> Node:
    """The node that was written, equal to what it was."""
    return _node(_checked(tree))


def _checked(tree: Tree) -> Tree:
    if not isinstance(tree, dict):
        raise EncodingError("this is no workflow: somebody else wrote it")
    if tree.get("format") != FORMAT:
        raise EncodingError(f"a workflow of format {tree.get('format')!r}: this version reads only {FORMAT}")
    return tree


def _node(tree: Mapping[str, Any]) -> Node:
    kinds = KINDS.intersection(tree)
    if len(kinds) != 1:
        raise EncodingError(f"neither a signature nor a group, chain or chord: {tree!r:.200}")
    fields = {
        "args": tuple(tree.get("args", ())),
        "kwargs": dict(tree.get("kwargs", {})),
        "options": _options(tree["options"]) if "options" in tree else {},
        "immutable": tree.get("immutable", False),
    }
    [kind] = kinds
    if kind == "task":  # without its constructor: there may be 100,000
        call = object.__new__(Signature)
        vars(call).update(fields, task=tree["task"])
        return call
    return WORKFLOWS[kind](*map(_node, tree[kind]))._with(**fields)


def _options(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(map(_node, value)) if name in CALLBACKS else value for name, value in stored.items()}


NAME_CHARS = 160
_TASK_CHARS, _SHOWN = 60, 3  # Of each task's name; steps of a chain before its last, different members of a group.
_LOOKED_AT = (100, 10, 3, 1)  # Members of a group, by its level: its name takes no longer with 100,000.


def name_of(tree: Tree) -> str:
    """Its kind, its size and its tasks in their order, cut."""
    kind, words = kind_of(tree), _words(tree, 0)
    if kind == "task":
        return words
    size = len(tree[kind][0]["group"] if kind == "chord" else tree[kind])
    return cut(f"{kind} of {size:,}{words and ': '}{words}", NAME_CHARS)


def _words(node: Tree, level: int) -> str:
    kind = kind_of(node)
    if kind == "task":
        name, args = str(node["task"]), node.get("args")
        if name in MAPS and args and isinstance(args[0], dict) and "task" in args[0]:
            return cut(str(args[0]["task"]), _TASK_CHARS) + f" ({name.removeprefix('jobs.')})"
        return cut(name, _TASK_CHARS)
    members = node[kind]
    if level == len(_LOOKED_AT):
        return CUT
    if kind == "group":
        some = [*members[: _LOOKED_AT[level]], *members[-1:]]
        different = list(dict.fromkeys(_words(member, level + 1) for member in some))
        words = ", ".join([*different[:_SHOWN], *([CUT] if different[_SHOWN:] else [])])
        return (
            words if level == 0 or not members[1:] else f"{len(members):,} × {f'({words})' if different[1:] else words}"
        )
    first = level and level + 1 if kind == "chord" else level + 1  # the size of a whole chord is that of its header
    steps = [_words(step, level + 1 if n else first) for n, step in enumerate(members[:_SHOWN])]
    left_out = [CUT] if len(members) > _SHOWN + 1 else []
    words = " → ".join([*steps, *left_out, *(_words(step, level + 1) for step in members[_SHOWN:][-1:])])
    return words if level == 0 else f"({words})"
