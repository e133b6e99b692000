"""Reads what `to_dict` of a node has written: the form in which workflows are stored and sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.canvas import Node, Signature, chain, chord, group
from jobs.errors import EncodingError
from jobs.partial import CALLBACKS, FORMAT

WORKFLOWS: dict[str, type[group | chain | chord]] = {"group": group, "chain": chain, "chord": chord}


def from_dict(tree: Mapping[str, Any]) -> Node:
    """The node that was written, equal to what it was."""
    if tree.get("format") != FORMAT:
        raise EncodingError(f"a workflow of format {tree.get('format')!r}: this version reads only {FORMAT}")
    return _node(tree)


def _node(tree: Mapping[str, Any]) -> Node:
    kinds = [name for name in ("task", *WORKFLOWS) if name in tree]
    if len(kinds) != 1:
        raise EncodingError(f"neither a signature nor a group, chain or chord: {tree!r:.200}")
    [kind] = kinds
    node = Signature(tree["task"]) if kind == "task" else WORKFLOWS[kind](*map(_node, tree[kind]))
    options = {
        name: tuple(map(_node, value)) if name in CALLBACKS else value
        for name, value in tree.get("options", {}).items()
    }
    return node._with(
        args=tuple(tree.get("args", ())),
        kwargs=dict(tree.get("kwargs", {})),
        options=options,
        immutable=tree.get("immutable", False),
    )
