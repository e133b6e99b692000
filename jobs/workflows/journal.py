"""How an evaluation of a workflow ends, other than with a result or an error of its own; and how its members have."""

from typing import Any

from .. import encoding
from ..errors import RemoteError, TaskRevoked


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
