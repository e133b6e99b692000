"""A member's call as the tree of its workflow has it: others of its arguments came from the step before."""

from __future__ import annotations

from typing import Any

from ..client.connection import JobsRedis
from ..errors import EncodingError
from ..store.stored_values import text
from ..tasks.declarations import KnownTasks, known_tasks
from ..tasks.masking import MOST
from ..workflows import member_ids
from ..workflows.journal import read_entry
from ..workflows.stored_tree import along
from .masked_call import MaskedCall, masked_call_of

MAX_CALL_BYTES = 4 * 1024 * 1024
"""Bytes of a call or a result that are decoded to be shown. Only lists that groups hand on are longer."""


async def call_of(connection: JobsRedis, job_id: str, parent: str | None = None, most: int = MOST) -> MaskedCall | None:
    """The call of a job, with at most *most* values; None if nothing keeps it. *parent*: its workflow, if known."""
    key, known = connection.key, await known_tasks(connection)
    if parent is None:
        parent = text(await connection.hget(key.RECORD + job_id, "parent"))  # type: ignore[misc]
    path = member_ids.place_in(parent, job_id)
    async with connection.pipeline(transaction=False) as pipe:
        pipe.getrange(key.JOB + job_id, 0, MAX_CALL_BYTES - 1)
        pipe.getrange(key.RESULT + job_id, 0, MAX_CALL_BYTES - 1)
        pipe.hget(key.JOURNAL + parent, path)
        waiting, result, entry = await pipe.execute()
    call = masked_call_of(connection, known, waiting or result or (entry or b"")[1:], most)
    return await member_call(connection, known, parent, path) if call is None and parent else call


class FromBefore:
    """A placeholder for the results that a group before this step handed on: there may be 10,000 of them."""

    def __repr__(self) -> str:
        return "<results of the step before>"


async def member_call(connection: JobsRedis, known: KnownTasks, workflow: str, path: str) -> MaskedCall | None:
    """The call of a member as its tree has it; None if the tree is gone, or has no such task."""
    stored = await connection.get(connection.key.TREE + workflow)
    if stored is None:
        return None
    nodes = along(stored, path)
    if not nodes or "task" not in nodes[-1]:
        return None
    came, above = list(nodes[0].get("args", ())), ""
    for word, outer, node in zip(path.split("."), nodes, nodes[1:], strict=False):
        if "group" not in outer and word != "0":
            came = [await _result_of(connection, workflow, f"{above}{int(word) - 1}")]
        own = list(node.get("args", ()))
        came = own if node.get("immutable") else came + own
        above = f"{above}{word}."
    args, kwargs = known.masked(nodes[-1]["task"], came, nodes[-1].get("kwargs", {}))
    return MaskedCall(nodes[-1]["task"], args, kwargs, whole=True)


async def _result_of(connection: JobsRedis, workflow: str, path: str) -> Any:
    """What a task has handed on; of a group there is no single entry."""
    entry = await connection.hget(connection.key.JOURNAL + workflow, path)  # type: ignore[misc]
    try:
        return FromBefore() if entry is None else read_entry(entry)[1]
    except EncodingError:  # not written by us
        return FromBefore()
