"""Who did what: the last 10,000 actions of people, in a stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs import keys
from jobs.connection import JobsRedis
from jobs.masking import cut
from jobs.monitor.numbers import number

LONGEST = 500
"""Characters of each word of an entry."""


@dataclass(frozen=True)
class AuditEntry:
    """One action: *who* did *what* to *target*, with what *result*. The time is Redis'."""

    at: datetime
    who: str
    what: str
    target: str
    result: str


@dataclass(frozen=True)
class AuditPage:
    """Some entries, the newest first. `next` is the cursor of the page after this one; '' if there is no more."""

    rows: list[AuditEntry]
    next: str = ""


async def note(connection: JobsRedis, who: str, what: str, target: str, result: str) -> None:
    """Add an entry: `note(redis, "alice", "retry", job_id, "runs as ...")`. No secrets, no addresses."""
    said = {"who": who, "what": what, "target": target, "result": result}
    fields = {name: cut(word, LONGEST) for name, word in said.items()}
    await connection.xadd(keys.AUDIT, fields, maxlen=keys.AUDIT_LENGTH, approximate=True)  # type: ignore[arg-type]


async def audit(connection: JobsRedis, cursor: str = "", limit: int = 100) -> AuditPage:
    """The entries, the newest first. ValueError for a cursor that cannot be."""
    ms, _, place = cursor.partition("-")
    if cursor and (number(ms) is None or number(place) is None):
        raise ValueError(f"cursor={cursor!r:.80}: take it from the page before")
    newest = f"({cursor}" if cursor else "+"
    found = await connection.xrevrange(keys.AUDIT, max=newest, count=limit + 1)
    rows = [_read(entry_id, fields) for entry_id, fields in found[:limit]]
    return AuditPage(rows, found[limit - 1][0].decode() if len(found) > limit else "")


def _read(entry_id: bytes, fields: dict[bytes, bytes]) -> AuditEntry:
    word = {name.decode(): value.decode() for name, value in fields.items()}
    at = datetime.fromtimestamp(int(entry_id.split(b"-")[0]) / 1000, UTC)
    return AuditEntry(at, word["who"], word["what"], word["target"], word["result"])
