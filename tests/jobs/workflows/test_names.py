"""The short name of a workflow, made of its tree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import chain, chord, group, signature
from jobs.workflows.canvas import Node
from jobs.workflows.stored_tree import NAME_CHARS, name_of

extract, transform, load = signature("etl.extract"), signature("etl.transform"), signature("etl.load")
many = group([extract] * 3_000)

NAMES = {
    "etl.extract": extract,
    "chain of 2: etl.extract → etl.load": extract | load,
    "chain of 5: etl.extract → etl.extract → etl.load → … → etl.load": chain(extract, extract, load, extract, load),
    "group of 3,000: etl.extract": many,
    "group of 3: etl.extract, etl.load": group(extract, load, extract),
    "group of 4: a, b, c, …": group(signature(name) for name in "abcd"),
    "group of 101: etl.extract, etl.load": group([*[extract] * 100, load]),
    "chord of 3,000: etl.extract → etl.load": chord(many, load),
    "chord of 2: etl.extract": chord([extract, extract]),
    "chain of 3: etl.extract → 3,000 × etl.transform → etl.load": chain(extract, group([transform] * 3_000), load),
    "group of 2: (2 × etl.extract → etl.load)": group([chord([extract, extract], load)] * 2),
    "chord of 2: (etl.extract → etl.load), etl.extract → etl.load": chord([extract | load, extract], load),
    "chain of 2: etl.extract → 2 × (etl.load, etl.transform)": chain(extract, group(load, transform)),
    "group of 0": group(),
    "chain of 0": chain(),
    "etl.extract (starmap)": extract.starmap([(1,), (2,)]),
    "group of 2: etl.extract (starmap)": extract.chunks([(1,), (2,)], 1),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name(name: str) -> None:
    assert name_of(NAMES[name].to_dict()) == name


tasks = st.builds(signature, st.text("aé文.\U0001f600", min_size=1, max_size=200))
trees = st.recursive(
    tasks,
    lambda nodes: st.one_of(
        st.builds(lambda some: group(some, max_concurrency=2), st.lists(nodes, max_size=9)),
        st.builds(lambda some: chain(*some, link=[extract]), st.lists(nodes, max_size=9)),
        st.builds(chord, st.lists(nodes, max_size=9), nodes),
    ),
    max_leaves=50,
)


@given(trees)
def test_every_tree_has_a_short_one(tree: Node) -> None:
    assert 0 < len(name_of(tree.to_dict())) <= NAME_CHARS


def test_it_is_made_of_a_few_members_however_many_there_are() -> None:
    tree: Any = {"task": "etl.extract"}
    for _ in range(5):  # 3,000 to the fifth power tasks: nobody could look at all of them
        tree = {"group": [{"chain": [tree] * 3_000}] * 3_000}

    assert name_of(tree).startswith("group of 3,000: (3,000 × (")
