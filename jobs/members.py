"""The members of a stored workflow: their paths, and which of them have ended or failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs import encoding, keys
from jobs.canvas import Node, Path, Signature, Workflow

if TYPE_CHECKING:
    from jobs.connection import JobsRedis


def place(path: Path) -> str:
    """A path as it stands in ids and journals: `0.3`; `-` is the root."""
    return ".".join(map(str, path)) or "-"


def paths_of(node: Node) -> list[str]:
    """The places of all tasks of a tree; callbacks are not counted."""
    return [place(path) for path in _leaves(node, ())]


async def tree_of(connection: JobsRedis, workflow: str) -> Node | None:
    """The stored tree; None if that is no workflow, or one whose result has ended."""
    stored: bytes | None = await connection.get(keys.TREE + workflow)
    return None if stored is None else Node.from_dict(encoding.loads(stored))


async def unended(connection: JobsRedis, workflow: str, tree: Node) -> list[str]:
    """The places whose tasks have not ended."""
    ended = {path.decode() for path in await connection.hkeys(keys.JOURNAL + workflow)}  # type: ignore[misc]
    return [path for path in paths_of(tree) if path not in ended]


async def failed(connection: JobsRedis, workflow: str) -> list[str]:
    """The places whose tasks ended other than well, callbacks among them."""
    journal = await connection.hgetall(keys.JOURNAL + workflow)  # type: ignore[misc]
    return [path.decode() for path, entry in journal.items() if not entry.startswith(b"S")]


def _leaves(node: Node, path: Path) -> Iterator[Path]:
    if isinstance(node, Signature):
        yield path
    elif isinstance(node, Workflow):
        for number, member in enumerate(node.tasks):
            yield from _leaves(member, (*path, number))
