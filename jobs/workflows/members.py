"""The members of a stored workflow: their ids and paths, which have ended and how; and how an evaluation ends.

The id of a job that another one calls, a member or a callback, is the id of its caller, a separator and a place:
`nightly::0.2`, `order:42::-1.0`. No call may be given an id that ends in `::` and a place, so none of these ids is that
of another job. Where the workflow was given no id (its own is random), or an earlier release has stored it, the
separator is a single `:`.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgpack

from .. import encoding
from ..errors import NotUnique, RemoteError, TaskRevoked
from ..store import keys
from ..store.call import Call
from ..store.store import Store
from ..store.stored_values import chunked, text
from .canvas import LINK_ERROR, Path
from .stored_tree import Tree, along, kind_of, read

GIVEN: Final = "::"  # The separator below a given id, and before the place of a callback.
MADE: Final = ":"
SEPARATOR: Final = "separator"  # Where the root of a stored tree says which one it is; MADE where it does not.

KEPT_CALL_BYTES: Final = 65_536  # A member's call up to this size is kept with its outcome, where pages look for it.

_RESERVED = re.compile(r"::(-|-?[0-9]+(\.-?[0-9]+)*)\Z")


def prefix_of(workflow: str, tree: Mapping[str, Any]) -> str:
    """What the ids of a workflow's members begin with. *tree*: its root, as it is stored."""
    return f"{workflow}{tree.get(SEPARATOR, MADE)}"


def callback_id(job_id: str, mark: int, number: int) -> str:
    """The id of a callback of a job that is no node of a workflow; *mark*: LINK or LINK_ERROR."""
    return f"{job_id}{GIVEN}{mark}.{number}"


def is_reserved(job_id: str) -> bool:
    """Is it an id that only a member or a callback can have?"""
    return GIVEN in job_id and _RESERVED.search(job_id) is not None


def place_in(workflow: str, job_id: str) -> str:
    return job_id.removeprefix(workflow).lstrip(":")


class Parked(Exception):
    """The workflow has nothing to do but wait. *seen* of its members had ended when it looked last."""

    def __init__(self, seen: int) -> None:
        super().__init__(seen)
        self.seen = seen


class Revoked(Exception):
    """The workflow itself was revoked: whatever else its evaluation came to is void."""


class MemberFailed(Exception):
    """A member has failed, by `error`, and with it the workflow. The member's own end has said so already."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


async def refuse_member(redis: Store, call: Call, holder: str, token: str = "") -> NotUnique:
    """The job *holder* has the key of a member: it has failed, for every evaluation of its workflow. *token*: of the
    job that a child is of."""
    error = NotUnique(call.task, holder)
    result = encoding.dumps({"s": False, "r": error})
    if redis.is_own_encoding and len(call.payload) <= KEPT_CALL_BYTES:  # for people who look
        result = encoding.joined(call.payload, result)
    words = (call.parent, call.path, call.id, call.task, call.queue, result, str(error))
    await redis.run_script("refuse", *words, keys.RESULT_EXPIRES_MS, keys.HISTORY_LENGTH, token)
    return error


def read_entry(entry: bytes) -> tuple[bool, Any]:
    """(True, result) or (False, exception) of an entry of the journal: the first letter of a state, then a result."""
    letter, result = entry[:1], entry[1:]
    if not result:
        failed = TaskRevoked("it was revoked") if letter == b"R" else RemoteError("Exception", "it failed")
        return (True, None) if letter == b"S" else (False, failed)
    stored = encoding.loads_wrapped(result)
    value = stored["r"]
    if stored["s"] or isinstance(value, Exception):
        return stored["s"], value
    return False, RemoteError("Exception", str(value))


def place(path: Path) -> str:
    """A path as it is written in ids and journals: `0.3`; `-` is the root."""
    return ".".join(map(str, path)) or "-"


def is_callback(place: str) -> bool:
    """Does this belong to a callback of a workflow, and not to its result?"""
    return "-" in place


def inside(node: Tree, above: str) -> Iterator[tuple[str, Tree]]:
    """The members of the node at the place *above*, each with its own place; a task has none."""
    prefix, kind = f"{above}." if above else "", kind_of(node)
    for number, member in enumerate(node[kind] if kind != "task" else ()):
        yield f"{prefix}{number}", member


def places_of(node: Tree, above: str = "") -> list[str]:
    """The places of all tasks of a tree, or below a node of it; callbacks are not counted."""
    places = [above or "-"] if "task" in node else []
    for place, member in inside(node, above):
        if "task" in member:  # not called for each: there may be 100,000
            places.append(place)
        else:
            places += places_of(member, place)
    return places


async def tree_of(connection: Store, workflow: str) -> Tree | None:
    """The stored tree; None if that is no workflow, or one whose result has ended."""
    stored: bytes | None = await connection.get(connection.key.TREE + workflow)
    return None if stored is None else read(stored)


async def root_of(connection: Store, workflow: str) -> Tree | None:
    """The root of the stored tree without its members; None as `tree_of`."""
    stored: bytes | None = await connection.get(connection.key.TREE + workflow)
    nodes = None if stored is None else along(stored, "-")
    return nodes[0] if nodes else None


async def children_of(connection: Store, job_id: str) -> list[str]:
    """The ids of a workflow's members, in the order of its tree; of a single job, those of the callbacks of its end."""
    if (tree := await tree_of(connection, job_id)) is not None:
        prefix = prefix_of(job_id, tree)
        return [f"{prefix}{place}" for place in places_of(tree)]
    packed: bytes | None = await connection.hget(connection.key.RECORD + job_id, "children")  # type: ignore[misc]
    try:
        return [] if packed is None else [str(callback) for callback in msgpack.unpackb(packed)]
    except (ValueError, TypeError, msgpack.UnpackException):  # somebody else wrote it
        return []


async def member_of(connection: Store, job_id: str) -> tuple[str, str, bytes] | None:
    """The workflow with a member of this id, called or not, the member's place, and the stored tree."""
    for separator in (GIVEN, MADE):
        workflow, _, place = job_id.rpartition(separator)
        stored: bytes | None = await connection.get(connection.key.TREE + workflow) if workflow else None
        nodes = along(stored, place) if stored else None
        if stored and nodes and "task" in nodes[-1] and job_id == prefix_of(workflow, nodes[0]) + place:
            return workflow, place, stored
    return None


async def rows_of(connection: Store, workflow: str, prefix: str, paths: list[str]) -> list[Any]:
    """The states of the tasks at these places, with their times: see members.lua."""
    scripts_run = (connection.run_script("members", workflow, prefix, *some) for some in chunked(paths))
    rows = await asyncio.gather(*scripts_run)
    return [row for packed in rows for row in msgpack.unpackb(packed, unicode_errors="replace")]


async def unended(connection: Store, workflow: str, tree: Tree) -> list[str]:
    ended = set(map(text, await connection.hkeys(connection.key.JOURNAL + workflow)))  # type: ignore[misc]
    return [path for path in places_of(tree) if path not in ended]


async def newly_ended(connection: Store, workflow: str, messages: list[bytes] | None, known: set[str]) -> list[str]:
    """The places, but *known* ones, whose ends *messages* tell of, in that order; None: all ended, by the tree."""
    if messages is not None:
        ended_now = [path for message in messages for path in msgpack.unpackb(message)[1:]]
    elif await connection.hlen(connection.key.JOURNAL + workflow) == len(known):  # type: ignore[misc]
        return []
    else:
        ended = await connection.hkeys(connection.key.JOURNAL + workflow)  # type: ignore[misc]
        ended_now = sorted(map(text, ended), key=lambda place: tuple(map(int, place.split("."))))
    return [path for path in dict.fromkeys(ended_now) if path not in known]


async def to_do_again(connection: Store, workflow: str, tree: Tree) -> list[str]:
    """The places whose tasks have not ended well, and those that heard of a failure."""
    entries = await connection.hgetall(connection.key.JOURNAL + workflow)  # type: ignore[misc]
    journal = {text(path): entry for path, entry in entries.items()}
    error_callbacks = {path for path in journal if str(LINK_ERROR) in path.split(".")}
    return [
        path for path in {*journal, *places_of(tree)} if path in error_callbacks or journal.get(path, b"")[:1] != b"S"
    ]
