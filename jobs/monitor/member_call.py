"""The arguments of a workflow's member that has ended: its own stand in the tree, others came from the step before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs import encoding, keys
from jobs.connection import JobsRedis
from jobs.known_tasks import KnownTasks
from jobs.monitor.calls import Shown

KINDS = ("group", "chain", "chord")


class FromBefore:
    """Stands for the argument that the step before handed on."""

    def __repr__(self) -> str:
        return "<result of the step before>"


async def member_call(connection: JobsRedis, known: KnownTasks, workflow: str, job_id: str) -> Shown | None:
    """The call of a member as its tree has it; None if the tree is gone, or it is a callback."""
    stored = await connection.get(keys.TREE + workflow)
    path = job_id.removeprefix(f"{workflow}:")
    if stored is None:
        return None
    node: Mapping[str, Any] = encoding.loads(stored)
    came: list[Any] = list(node.get("args", ()))
    for number in () if path == "-" else path.split("."):
        kind = next((kind for kind in KINDS if kind in node), None)
        if kind is None or not number.isdecimal() or int(number) >= len(node[kind]):
            return None
        is_later_step = kind != "group" and number != "0"
        node = node[kind][int(number)]
        came = [FromBefore()] if is_later_step else came
        own = list(node.get("args", ()))
        came = own if node.get("immutable") else came + own
    if "task" not in node:
        return None
    shown, kwargs = known.masked(node["task"], came, node.get("kwargs", {}))
    return Shown(node["task"], shown, kwargs, whole=True)
