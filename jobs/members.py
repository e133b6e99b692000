"""The members of a stored workflow: their paths, and which of them have ended or failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgpack

from jobs import encoding, keys, scripts
from jobs.canvas import LINK_ERROR, Node, Path, Signature, Workflow
from jobs.tree import from_dict

if TYPE_CHECKING:
    from jobs.connection import JobsRedis


AT_ONCE = 500
"""How many members one script looks at, so that it keeps Redis for a moment only."""
STATES = {
    "S": "SUCCESS",
    "F": "FAILURE",
    "R": "REVOKED",
    "P": "PENDING",
    "T": "STARTED",
    "Y": "RETRY",
    "-": "",
}
"""The letters of member_states.lua; '' is that of a task that has not been called yet."""


def place(path: Path) -> str:
    """A path as it stands in ids and journals: `0.3`; `-` is the root."""
    return ".".join(map(str, path)) or "-"


def is_callback(place: str) -> bool:
    """Does this belong to a callback of a workflow, and not to its result?"""
    return "-" in place


def paths_of(node: Node) -> list[str]:
    """The places of all tasks of a tree; callbacks are not counted."""
    return [place(path) for path in _leaves(node, ())]


async def tree_of(connection: JobsRedis, workflow: str) -> Node | None:
    """The stored tree; None if that is no workflow, or one whose result has ended."""
    stored: bytes | None = await connection.get(keys.TREE + workflow)
    return None if stored is None else from_dict(encoding.loads(stored))


async def callbacks_of(connection: JobsRedis, job_id: str) -> list[str]:
    """The ids of the callbacks that the end of a job has called."""
    packed: bytes | None = await connection.hget(keys.RECORD + job_id, "children")  # type: ignore[misc]
    return [] if packed is None else list(msgpack.unpackb(packed))


async def letters_of(connection: JobsRedis, workflow: str, paths: list[str]) -> str:
    """The states of the tasks at these places, a letter for each: see STATES."""
    letters = ""
    for first in range(0, len(paths), AT_ONCE):
        some = paths[first : first + AT_ONCE]
        letters += (await connection.run_script(scripts.MEMBER_STATES, workflow, *some)).decode()
    return letters


async def unended(connection: JobsRedis, workflow: str, tree: Node) -> list[str]:
    """The places whose tasks have not ended."""
    ended = {path.decode() for path in await connection.hkeys(keys.JOURNAL + workflow)}  # type: ignore[misc]
    return [path for path in paths_of(tree) if path not in ended]


async def newly_ended(
    connection: JobsRedis, workflow: str, messages: list[bytes] | None, known: set[str]
) -> list[str]:
    """The places, but for those *known*, whose ends *messages* tell of, in that order; None: all that have ended, in
    the order of the tree.
    """
    if messages is not None:
        told = [path for message in messages for path in msgpack.unpackb(message)[1:]]
    elif await connection.hlen(keys.JOURNAL + workflow) == len(known):  # type: ignore[misc]
        return []
    else:
        ended = await connection.hkeys(keys.JOURNAL + workflow)  # type: ignore[misc]
        told = sorted((path.decode() for path in ended), key=_path)
    return [path for path in dict.fromkeys(told) if path not in known]


async def to_do_again(connection: JobsRedis, workflow: str, tree: Node) -> list[str]:
    """The places whose tasks have not ended well, and those that were told of a failure."""
    entries = await connection.hgetall(keys.JOURNAL + workflow)  # type: ignore[misc]
    journal = {path.decode(): entry for path, entry in entries.items()}
    told = {path for path in journal if str(LINK_ERROR) in path.split(".")}
    return [
        path for path in {*journal, *paths_of(tree)} if path in told or journal.get(path, b"")[:1] != b"S"
    ]


def _path(place: str) -> Path:
    return tuple(map(int, place.split(".")))


def _leaves(node: Node, path: Path) -> Iterator[Path]:
    if isinstance(node, Signature):
        yield path
    elif isinstance(node, Workflow):
        for number, member in enumerate(node.tasks):
            yield from _leaves(member, (*path, number))
