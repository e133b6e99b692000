"""Who did what: the last 10,000 actions of people, in a stream."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ...client.connection import JobsRedis
from ...errors import QuarqError, WrongValue
from ...store import keys
from ...store.stored_values import moment_of, read_as, text
from ...values.short_text import cut
from .search import Page

MAX_WORD_CHARS = 500
LOOKED_AT = 1_000
BEGUN = "Begun. It goes on, or was broken off: how far it came is not known."
T = TypeVar("T")


@dataclass(frozen=True)
class AuditEntry:
    """One action: *who* did *what* to *target*, with what *result*. The time is Redis', of its end if that is known."""

    at: datetime
    who: str
    what: str
    target: str
    result: str


async def note(connection: JobsRedis, who: str, what: str, target: str, result: str, instead_of: str = "") -> str:
    """Add an entry, or replace another, in one step; returns its id. No secrets, no addresses."""
    words = {"who": who, "what": what, "target": target, "result": result}
    fields = [part for name, word in words.items() for part in (name, _storable(cut(word, MAX_WORD_CHARS)))]
    return text(await connection.run_script("note", instead_of, keys.AUDIT_LENGTH, *fields))


def _storable(word: str) -> bytes:
    """What an error quotes may have half of a surrogate pair, which has no bytes."""
    return word.encode(errors="backslashreplace")


async def noted(
    connection: JobsRedis,
    who: str,
    what: str,
    target: str,
    doing: Callable[[], Awaitable[T]],
    summary: Callable[[T], str] = str,
) -> T:
    """Do it, with an entry from before it begins: whatever kills this process, nothing is done without one.
    The entry reads BEGUN until the *summary* of the result replaces it, or the reason why it was refused."""
    begun = await note(connection, who, what, target, BEGUN)
    try:
        done = await doing()
    except (QuarqError, ValueError) as error:
        await note(connection, who, what, target, str(error), instead_of=begun)
        raise
    await note(connection, who, what, target, summary(done), instead_of=begun)
    return done


async def audit(
    connection: JobsRedis, cursor: str = "", limit: int = 100, target: str = "", who: str = ""
) -> Page[AuditEntry]:
    """The entries, the newest first; only those of a *target*, or by somebody, among LOOKED_AT for each page.
    WrongValue for a cursor that cannot be."""
    if not re.fullmatch("|[0-9]{1,18}-[0-9]{1,18}", cursor):
        raise WrongValue(f"cursor={cursor!r:.80}: take it from the page before")
    newest = f"({cursor}" if cursor else "+"
    most = LOOKED_AT if target or who else limit
    found = await connection.xrevrange(connection.key.AUDIT, max=newest, count=most + 1)
    rows, last = list[AuditEntry](), b""
    for last, fields in found[:most]:
        entry = read_as(AuditEntry, fields, at=moment_of(last.split(b"-")[0]))
        rows += [entry] if target in ("", entry.target) and who in ("", entry.who) else []
        if len(rows) == limit:
            break
    return Page(rows, text(last) if found and last != found[-1][0] else "")


async def pauses(connection: JobsRedis) -> dict[str, AuditEntry]:
    """Who paused each queue, as far as the last LOOKED_AT entries tell: a queue that was resumed since is not there."""
    found, resumed = dict[str, AuditEntry](), set[str]()
    for entry in (await audit(connection, limit=LOOKED_AT)).rows:
        if entry.what == "resume queue":
            resumed.add(entry.target)
        elif entry.what == "pause queue" and entry.target not in resumed:
            found[entry.target] = entry  # the oldest: it was paused already when a later one came
    return found
