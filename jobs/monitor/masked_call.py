"""The arguments of a stored call as people may see them, also where the call is cut off, or not written by us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import encoding
from ..client.connection import JobsRedis
from ..store.stored_values import chunked
from ..tasks.declarations import KnownTasks, known_tasks
from ..tasks.masking import MOST, call_text
from ..values.short_text import said, text
from .search_text import Needle

LINE_CHARS = 120
"""Characters of arguments in a row."""
SEARCHED_CHARS = 10_000
"""Characters of an exception's text that a search for text looks at."""


@dataclass(frozen=True)
class MaskedCall:
    """A call without its secrets. `whole`: nothing of its arguments is missing."""

    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    whole: bool = False

    @property
    def line(self) -> str:
        text = self.text(LINE_CHARS)
        return text if self.whole or text.endswith("…") else f"{text}…"

    def text(self, limit: int) -> str:
        """The arguments in one line of at most *limit* characters."""
        return call_text(self.args, self.kwargs, limit)

    def holds(self, needle: Needle) -> bool:
        """Is *needle* in one of the arguments that may be seen?"""
        return any(map(needle.is_value, _values([self.args, self.kwargs])))


def masked_call_of(connection: JobsRedis, known: KnownTasks, stored: bytes, most: int = MOST) -> MaskedCall | None:
    """What may be seen of a stored call or result; None if there is none, or a result that keeps no call.

    At most *most* values of its arguments.
    """
    if not stored:
        return None
    whole = True
    try:
        call = connection.loads(stored)
    except Exception:  # cut off, nested deeper than what is read, or not written by us
        call, whole = encoding.loads_cut(stored), False
    if not isinstance(call, Mapping) or "a" not in call or call.get("cut"):
        return None
    task = text_of(call.get("f", ""))
    args, kwargs = known.masked(task, call["a"], call.get("k") or {}, most)
    return MaskedCall(task, args, kwargs, whole or "r" in call or "et" in call)


async def unfinished_calls(connection: JobsRedis, ids: Sequence[str]) -> list[MaskedCall]:
    """The calls of jobs that have not ended, in this order; an empty one where none can be read."""
    known, calls = await known_tasks(connection), list[MaskedCall]()
    for some in chunked(ids):
        payloads = await connection.mget([connection.key.JOB + job_id for job_id in some])
        calls += [masked_call_of(connection, known, payload or b"") or MaskedCall() for payload in payloads]
    return calls


def text_of(name: Any) -> str:
    """A name as stored; of a value that is no text, what it looks like."""
    return name if isinstance(name, str) else text(name)


def _values(value: Any) -> Iterator[Any]:
    """What is inside, however deep."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(name)
            yield from _values(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _values(inner)
    elif isinstance(value, BaseException):
        yield said(value, SEARCHED_CHARS)
    else:
        yield value
