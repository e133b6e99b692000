"""A call as Redis has it: its moments, its fields, and how many bytes it may take."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgpack

from ..values import checks, sendable
from . import keys

Moment = float | timedelta | datetime | None
"""A delay in seconds from Redis' now, or a time; a naive time is local, as `datetime.timestamp()` reads it."""

LARGE_LIMIT: Final = sendable.LARGEST  # Bytes of a call of values that were taken before, and of a workflow.


@dataclass(slots=True)
class Call:
    """One call on its way to Redis. `due` and `expires`: '' none, '+n' ms from Redis' now, 'n' ms since the epoch.

    A member of a workflow has its `parent` and its `path` there; a workflow has its `tree` and its `name`.
    """

    id: str
    queue: str
    payload: bytes
    task: str
    due: str = ""
    expires: str = ""
    parent: str = ""
    path: str = ""
    tree: bytes = b""
    name: str = ""

    def words(self) -> tuple[str | bytes, ...]:
        """What `read_call` in storing.lua reads: what a call may have goes as one map."""
        packed = b""
        if self.due or self.expires or self.parent or self.tree:
            more = {name: value for name in _MORE if (value := getattr(self, name))}
            packed = msgpack.packb(more, use_bin_type=False)  # Lua knows no type of bytes
        return (self.id, self.queue, self.payload, self.task, packed)


_MORE: Final = ("due", "expires", "parent", "path", "tree", "name")


def moment(value: Moment) -> str:
    """'+n' ms from now for a delay, 'n' ms since 1970 for a time, '' for none. TypeError or WrongValue for others."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(min(max(int(value.timestamp() * 1000), 0), keys.LAST_MS))
    return f"+{max(int(checks.seconds('delay', value) * 1000), 0)}"
