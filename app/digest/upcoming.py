"""The next issue: its number, and the opening text that the owner has written for it.

Its one row is locked by each transaction that takes either, so that no number and no text is used twice.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.digest.models import Digest, NextIssue

LONGEST_OPENING = 2_000  # characters
THE_ROW = 1


async def number(db: AsyncSession) -> int:
    """The number of the next issue, if no other begins before it."""
    return (await db.scalar(select(func.max(Digest.number))) or 0) + 1


async def give_number(db: AsyncSession, digest: Digest) -> None:
    """Give an issue (locked) that begins the next number, if it has none: from now on it has a public page."""
    if digest.number is None:
        await hold(db)
        digest.number = await number(db)


async def opening(db: AsyncSession) -> str:
    """The text that is saved for the next issue."""
    return await db.scalar(select(NextIssue.opening)) or ""


async def save_opening(db: AsyncSession, text: str) -> None:
    (await hold(db)).opening = text


async def give_back(db: AsyncSession, text: str) -> None:
    """Keep the opening text of an issue that is not sent. One that was written meanwhile follows it."""
    row = await hold(db)
    row.opening = "\n\n".join(filter(None, (text, row.opening)))


async def hold(db: AsyncSession) -> NextIssue:
    """The row, locked until the end of the transaction. Created if it is missing."""
    row = await db.get(NextIssue, THE_ROW, with_for_update=True)
    if row is None:
        try:
            async with db.begin_nested():
                row = NextIssue(id=THE_ROW, opening="")
                db.add(row)
        except IntegrityError:  # created by another transaction at the same moment
            row = await db.get_one(NextIssue, THE_ROW, with_for_update=True, populate_existing=True)
    return row
