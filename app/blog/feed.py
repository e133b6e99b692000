"""What other features put into the feed, in addition to the posts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart import Quart
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class FeedEntry:
    """One entry. `path` is the address of its page within the site, and its id."""

    title: str
    path: str
    published_at: datetime
    summary: str


Source = Callable[[AsyncSession], Awaitable[Sequence[FeedEntry]]]


def feed_sources(app: Quart) -> list[Source]:
    """The functions that give further entries. A feature appends its own."""
    sources: list[Source] = app.extensions.setdefault("feed_sources", [])
    return sources
