"""Keep what a tab holds, find it again, end it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account, hold
from app.blog.unsaved.models import UnsavedText

MOST = 50
"""Open texts of one account, and as many that have ended. One more replaces the oldest."""

LAST = 1 << 53
"""Above the number of every change that a browser counts: that of a form whose changes nobody counted."""


async def keep(
    db: AsyncSession, account: Account, tab: str, post_id: int | None, change: int, typed: dict[str, Any]
) -> bool:
    """Store what the tab holds, unless a later change of it is there. False if this has to be another tab.

    The text of the tab has ended, or nobody can tell which is later.
    """
    await hold(db, account)
    row = await of_tab(db, account, tab)
    if row is None:
        db.add(UnsavedText(account_id=account.id, tab=tab, post_id=post_id, change=change, typed=typed))
        await _make_room(db, account)
    elif row.ended_at is not None or change < row.change == LAST:
        return False
    elif row.change <= change:
        row.change, row.typed, row.typed_at = change, typed, datetime.now(UTC)
    return True


async def end(db: AsyncSession, account: Account, *tabs: str) -> None:
    """Erase what these tabs hold: it was saved or discarded. Also marks a tab from which nothing has arrived yet."""
    await hold(db, account)
    now = datetime.now(UTC)
    for tab in filter(None, tabs):
        row = await of_tab(db, account, tab)
        if row is None:
            row = UnsavedText(account_id=account.id, tab=tab, change=0)
            db.add(row)
        row.typed, row.ended_at = {}, now
    await _make_room(db, account)


async def of_tab(db: AsyncSession, account: Account, tab: str) -> UnsavedText | None:
    """The row of this tab."""
    mine = UnsavedText.account_id == account.id, UnsavedText.tab == tab
    found: UnsavedText | None = await db.scalar(select(UnsavedText).where(*mine))
    return found


async def open_text(db: AsyncSession, account: Account, tab: str) -> UnsavedText | None:
    """What the tab holds, if it has not ended."""
    row = await of_tab(db, account, tab)
    return row if row and row.ended_at is None else None


async def texts(db: AsyncSession, account: Account) -> Sequence[UnsavedText]:
    """All unsaved texts of the account, the newest first."""
    query = select(UnsavedText).where(UnsavedText.account_id == account.id, UnsavedText.ended_at.is_(None))
    return (await db.scalars(query.order_by(UnsavedText.typed_at.desc()))).all()


async def _make_room(db: AsyncSession, account: Account) -> None:
    """Delete the oldest open texts, and the oldest that have ended: neither takes the place of the other."""
    await db.flush()
    mine = select(UnsavedText.id).where(UnsavedText.account_id == account.id)
    newest_first = func.coalesce(UnsavedText.ended_at, UnsavedText.typed_at).desc(), UnsavedText.id.desc()
    for which in (UnsavedText.ended_at.is_(None), UnsavedText.ended_at.is_not(None)):
        old = (await db.scalars(mine.where(which).order_by(*newest_first).offset(MOST))).all()
        if old:
            await db.execute(delete(UnsavedText).where(UnsavedText.id.in_(old)))
