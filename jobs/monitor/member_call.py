"""A member's call as the tree of its workflow has it: others of its arguments came from the step before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs import encoding, keys
from jobs.connection import JobsRedis
from jobs.known_tasks import KnownTasks
from jobs.monitor.calls import Shown
from jobs.monitor.numbers import number
from jobs.orchestrator import read_entry

KINDS = ("group", "chain", "chord")


class FromBefore:
    """Stands for the results that a group before this step handed on: there may be 10,000 of them."""

    def __repr__(self) -> str:
        return "<results of the step before>"


async def member_call(connection: JobsRedis, known: KnownTasks, workflow: str, path: str) -> Shown | None:
    """The call of a member as its tree has it; None if the tree is gone, or has no such task."""
    stored = await connection.get(keys.TREE + workflow)
    if stored is None:
        return None
    node: Mapping[str, Any] = encoding.loads(stored)
    came, above = list(node.get("args", ())), ""
    for word in () if path == "-" else path.split("."):
        kind, place = next((kind for kind in KINDS if kind in node), None), number(word)
        if kind is None or place is None or place >= len(node[kind]):
            return None
        if kind != "group" and place > 0:
            came = [await _result_of(connection, workflow, node[kind][place - 1], f"{above}{place - 1}")]
        node, above = node[kind][place], f"{above}{place}."
        own = list(node.get("args", ()))
        came = own if node.get("immutable") else came + own
    if "task" not in node:
        return None
    args, kwargs = known.masked(node["task"], came, node.get("kwargs", {}))
    return Shown(node["task"], args, kwargs, whole=True)


async def _result_of(connection: JobsRedis, workflow: str, node: Mapping[str, Any], place: str) -> Any:
    if "task" not in node:
        return FromBefore()
    entry = await connection.hget(keys.JOURNAL + workflow, place)  # type: ignore[misc]
    return FromBefore() if entry is None else read_entry(entry)[1]
