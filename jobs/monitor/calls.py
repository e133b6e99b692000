"""The arguments of a stored call as people may see them, also where the call is cut off or nobody's bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs import encoding
from jobs.connection import JobsRedis
from jobs.known_tasks import KnownTasks
from jobs.masking import call_text

SHOWN = 120
"""Characters of arguments in a row."""


@dataclass(frozen=True)
class Shown:
    """A call without its secrets. `whole`: nothing of its arguments is missing."""

    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    whole: bool = False

    @property
    def line(self) -> str:
        """The arguments as one line."""
        text = call_text(self.args, self.kwargs, SHOWN)
        return text if self.whole or text.endswith("…") else f"{text}…"

    def holds(self, needle: str) -> bool:
        """Does *needle* stand in a text among the arguments that may be seen?"""
        return any(needle in text for text in _texts([self.args, self.kwargs]))


def shown_call(connection: JobsRedis, known: KnownTasks, stored: bytes) -> Shown | None:
    """What may be seen of a stored call or result; None if there is none, or a result that keeps no call."""
    if not stored:
        return None
    whole = True
    try:
        call = connection.loads(stored)
    except Exception:  # cut off, or nobody's bytes
        call, whole = encoding.loads_cut(stored), False
    if "a" not in call:
        return None
    task = str(call.get("f", ""))
    args, kwargs = known.masked(task, call.get("a", ()), call.get("k", {}))
    return Shown(task, args, kwargs, whole or "r" in call or "et" in call)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for text in _texts(list(pair))]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for inner in value for text in _texts(inner)]
    if isinstance(value, int | float | None):
        return []
    return [str(value)]
