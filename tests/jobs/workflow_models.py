"""Random workflows, and what plain Python makes of them."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from jobs import chain, chord, group, task
from jobs.workflows.canvas import Node


@task(name="tests.canvas.tag")
async def tag(value: Any, n: int) -> Any:
    return [n, value]


@task(name="tests.canvas.constant")
async def constant(n: int) -> int:
    return n


def built(model: Any, rng: Random) -> Node:
    """The workflow of a model, written in one of the ways to write it."""
    kind, content = model
    if kind == "tag":
        return tag.s(content)
    if kind == "constant":
        return constant.si(content)
    nodes = [built(part, rng) for part in content]
    if kind == "all":
        return rng.choice([lambda: group(nodes), lambda: group(*nodes), lambda: group(iter(nodes))])()
    while len(nodes) > 1 and rng.random() < 0.7:
        at = rng.randrange(len(nodes) - 1)
        first, then = nodes[at : at + 2]
        as_chord = type(first) is group and then != chain() and rng.random() < 0.5
        nodes[at : at + 2] = [chord(first, then) if as_chord else first | then]
    return nodes[0] if len(nodes) == 1 and rng.random() < 0.5 else chain(nodes)


def plain(model: Any, value: Any) -> Any:
    """What a model makes of a value."""
    kind, content = model
    if kind == "tag":
        return [content, value]
    if kind == "constant":
        return content
    if kind == "all":
        return [plain(part, value) for part in unrolled(content)]
    for part in content:
        value = plain(part, value)
    return value


def unrolled(models: list[Any]) -> list[Any]:
    """Celery's rule: a group directly in a group is not a list in the list, and a step alone is no chain."""
    found: list[Any] = []
    for model in models:
        steps = [model]
        while any(kind == "then" for kind, _ in steps):
            steps = [step for kind, part in steps for step in (part if kind == "then" else [(kind, part)])]
        if len(steps) == 1 and steps[0][0] == "all":
            found += unrolled(steps[0][1])
        elif steps:
            found.append(model)
    return found


leaves = st.tuples(st.sampled_from(["tag", "constant"]), st.integers(0, 99))


models = st.recursive(
    leaves, lambda parts: st.tuples(st.sampled_from(["all", "then"]), st.lists(parts, max_size=4)), max_leaves=25
)
