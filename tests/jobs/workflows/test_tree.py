"""Stored trees, read by those who only look at them."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import chain, chord, encoding, group, signature
from jobs.errors import EncodingError
from jobs.workflows.members import inside, places_of
from jobs.workflows.stored_tree import Tree, along, read

TREE = chord(
    [
        chain(signature("a", (1,)), group(signature("b", (n,), {"task": "no node"}) for n in range(3))),
        signature("c", ("早",)).on_error(group(signature("d"))),
        group(signature("e")).set(max_concurrency=2),
    ],
    signature("f", immutable=True),
)
STORED = encoding.dumps(TREE.to_dict())


def everything(node: Tree, place: str = "") -> dict[str, Tree]:
    """All nodes by their places."""
    found = {place: node}
    for where, member in inside(node, place):
        found |= everything(member, where)
    return found


def without_members(node: Tree) -> dict[str, Any]:
    return {name: () if name in ("group", "chain", "chord") else value for name, value in node.items()}


def test_every_node_is_found_along_its_place_without_its_members() -> None:
    nodes = everything(read(STORED))
    assert len(nodes) == 12

    for place, node in nodes.items():
        found = along(STORED, place or "-")
        assert found is not None
        above = [".".join(place.split(".")[:n]) for n in range(len(found))]
        assert [dict(one) for one in found] == [without_members(nodes[where]) for where in above[:-1]] + [
            without_members(node)
        ]


@pytest.mark.parametrize("place", ["", "2", "0.0.1.3", "0.1.0", "0.1.-2.0", "01", "0.", "x", "٣", "0" * 99, "1\n"])
def test_a_place_that_is_not_there_leads_nowhere(place: str) -> None:
    assert along(STORED, place) is None


def test_the_places_of_the_tasks_below_a_node() -> None:
    tree = read(STORED)

    assert places_of(tree) == ["0.0.0", "0.0.1.0", "0.0.1.1", "0.0.1.2", "0.1", "0.2.0", "1"]
    assert places_of(tree["chord"][0]["group"][2], "0.2") == ["0.2.0"]
    assert places_of(read(encoding.dumps(signature("a").to_dict()))) == ["-"]


def test_a_tree_of_another_format_is_not_read() -> None:
    with pytest.raises(EncodingError, match="format 2"):
        read(encoding.dumps({**TREE.to_dict(), "format": 2}))
