"""The arguments of a workflow's member that has ended: its own stand in the tree, others came from the step before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs import encoding, keys
from jobs.connection import JobsRedis
from jobs.known_tasks import KnownTasks
from jobs.monitor.calls import Shown
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
    for number in () if path == "-" else path.split("."):
        kind = next((kind for kind in KINDS if kind in node), None)
        if kind is None or not number.isdecimal() or int(number) >= len(node[kind]):
            return None
        if kind != "group" and number != "0":
            before = int(number) - 1
            came = [await _result_of(connection, workflow, node[kind][before], f"{above}{before}")]
        node, above = node[kind][int(number)], f"{above}{number}."
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
