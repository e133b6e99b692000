"""The arguments of a stored call as people may see them, also where the call is cut off, or not written by us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ... import encoding
from ...client.connection import JobsRedis
from ...store.stored_values import chunked
from ...store.stored_values import text as stored_text
from ...tasks.call_options import stored_headers
from ...tasks.declarations import KnownTasks, known_tasks, secrets_by
from ...tasks.masking import MOST, REST, Mark, call_text, masked, without_secrets
from ...values.short_text import text
from ...workflows import members
from ...workflows.stored_tree import along

LINE_CHARS = 120
MAX_CALL_BYTES = 4 * 1024 * 1024
"""Bytes of a call or a result that are decoded to be shown. Only lists that groups hand on are longer."""


@dataclass(frozen=True)
class MaskedCall:
    """A call without its secrets. `whole`: nothing of its arguments is missing."""

    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    whole: bool = False

    @property
    def line(self) -> str:
        text = self.text(LINE_CHARS)
        return text if self.whole or text.endswith("…") else f"{text}…"

    def named(self, parameters: Sequence[str]) -> dict[str, Any]:
        """The arguments by name. Positional ones by their place too, from `1` on: nobody may have declared names."""
        named: dict[str, Any] = {str(place): value for place, value in enumerate(self.args, 1)}
        for place, name in enumerate(parameters[: len(self.args)]):
            named[name.lstrip("*")] = self.args[place:] if name.startswith("*") else self.args[place]
        return named | self.kwargs

    def text(self, limit: int) -> str:
        """The arguments in one line of at most *limit* characters."""
        return call_text(self.args, self.kwargs, limit)


def masked_call_of(connection: JobsRedis, known: KnownTasks, stored: bytes, most: int = MOST) -> MaskedCall | None:
    """What may be seen of a stored call or result, *most* values at most; None if none is there or kept."""
    if not stored:
        return None
    try:
        call, whole = connection.loads(stored), True
    except Exception:
        if name := import_module("...contrib.unread_pickles", __package__).function_in(stored):
            return MaskedCall(name, [REST])  # nothing is unpickled
        # cut off, nested deeper than what is read, or not written by us
        call, whole = encoding.loads_cut(stored), False
    if not isinstance(call, Mapping) or "a" not in call or call.get("cut"):
        return None
    task = call.get("f", "")
    task = task if isinstance(task, str) else text(task)
    args, kwargs = masked(task, call["a"], call.get("k") or {}, secrets_by(known), most)
    headers = stored_headers(without_secrets(call.get("h"), most=most))
    return MaskedCall(task, args, kwargs, headers, whole or "r" in call or "et" in call)


async def unfinished_calls(connection: JobsRedis, ids: Sequence[str]) -> list[MaskedCall]:
    """The calls of jobs that have not ended, in this order; an empty one where none can be read."""
    known, calls = await known_tasks(connection), list[MaskedCall]()
    for some in chunked(ids):
        payloads = await connection.mget([connection.key.JOB + job_id for job_id in some])
        calls += [masked_call_of(connection, known, payload or b"") or MaskedCall() for payload in payloads]
    return calls


async def call_of(connection: JobsRedis, job_id: str, parent: str | None = None, most: int = MOST) -> MaskedCall | None:
    """The call of a job, with at most *most* values; None if nothing keeps it. *parent*: its workflow, if known."""
    key, known = connection.key, await known_tasks(connection)
    if parent is None:
        parent = stored_text(await connection.hget(key.RECORD + job_id, "parent"))  # type: ignore[misc]
    path = members.place_in(parent, job_id)
    async with connection.pipeline(transaction=False) as pipe:
        pipe.getrange(key.JOB + job_id, 0, MAX_CALL_BYTES - 1)
        pipe.getrange(key.RESULT + job_id, 0, MAX_CALL_BYTES - 1)
        pipe.hget(key.JOURNAL + parent, path)
        waiting, result, entry = await pipe.execute()
    call = masked_call_of(connection, known, waiting or result or (entry or b"")[1:], most)
    return await _member_call(connection, known, parent, path) if call is None and parent else call


FROM_BEFORE = Mark(*["<results of the step before>"] * 2)
"""Stands for what the step before this one hands on, which may be the results of 10,000 members."""


async def _member_call(connection: JobsRedis, known: KnownTasks, workflow: str, path: str) -> MaskedCall | None:
    """The call of a member by its workflow's tree, of one that was not called yet, too; None if that is gone."""
    stored = await connection.get(connection.key.TREE + workflow)
    if stored is None:
        return None
    nodes = along(stored, path)
    if not nodes or "task" not in nodes[-1]:
        return None
    args = list(nodes[0].get("args", ()))
    for word, outer, node in zip(path.split("."), nodes, nodes[1:], strict=False):
        before = [FROM_BEFORE] if "group" not in outer and word != "0" else args
        own = list(node.get("args", ()))
        args = own if node.get("immutable") else before + own
    args, kwargs = masked(nodes[-1]["task"], args, nodes[-1].get("kwargs", {}), secrets_by(known))
    return MaskedCall(nodes[-1]["task"], args, kwargs, whole=True)
