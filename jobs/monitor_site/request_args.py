"""Read the arguments of a request. Ids and names of jobs, workers and queues are untrusted, so they are checked."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from quart import abort, request

from .viewers import reader_zone
from .web.messages import Message, WrongInput

MAX_LENGTH = 512
"""Characters of an id or a name."""


NOTHING = Message("gone", "Nothing with this name or id exists, or its record has expired.")


def query(name: str) -> str:
    """The id or name in the query string. 404 if it is missing or invalid."""
    return checked(request.args.get(name, ""))


async def form(name: str) -> str:
    """The id or name in the form. 404 if it is missing or invalid."""
    return checked((await request.form).get(name, ""))


def words(name: str) -> str:
    """A filter, which may be empty. Cut at the length of the longest possible match."""
    return request.args.get(name, "").replace("\0", "").strip()[:MAX_LENGTH]


def number(name: str, most: int = 10_000_000) -> int:
    """A whole number in the query string, at most *most*. 0 if it is missing or invalid."""
    return min(whole(request.args.get(name, "")), most)


def whole(given: str) -> int:
    """*given* as a whole number. 0 if it is none."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else 0


def moment(typed: str) -> datetime | None:
    """The moment of a date-time field in the reader's zone. None if the field is empty, WrongInput if it is invalid."""
    if not typed:
        return None
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise WrongInput(
            "no-such-time", f"{typed[:20]} is not a date and time. Enter one like 2026-12-01T10:30."
        ) from None
    if not 1970 < at.year < 2200:
        raise WrongInput("too-far", f"{typed[:20]} is out of range. Enter a year from 1971 to 2199.")
    return at if at.tzinfo else at.replace(tzinfo=reader_zone())


def not_found() -> NoReturn:
    """Answer 404: nothing with this name or id exists (any more)."""
    abort(404, NOTHING)


def checked(word: str) -> str:
    if not word or len(word) > MAX_LENGTH or not word.isprintable():
        not_found()
    return word
