"""What a workflow's journal says of a member that has ended: the first letter of its state, then its result."""

from __future__ import annotations

from typing import Any

from jobs import encoding
from jobs.errors import RemoteError, TaskRevoked


def read_entry(entry: bytes) -> tuple[bool, Any]:
    """(True, result) or (False, exception) of a journal entry: the first letter of a state, then a result."""
    if entry[:1] == b"S" and len(entry) == 1:
        return True, None
    if len(entry) == 1:
        return False, TaskRevoked("it was revoked") if entry == b"R" else RemoteError(
            "Exception", "it failed"
        )
    stored = encoding.loads_wrapped(entry[1:])
    value = stored["r"]
    if stored["s"] or isinstance(value, Exception):
        return stored["s"], value
    return False, RemoteError("Exception", str(value))
