"""Keep what a tab holds, find it again, end it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account, hold
from app.blog.unsaved.models import UnsavedText

MOST = 50
"""Texts of one account. One more replaces the oldest."""


LAST = 1 << 53
"""Above the number of every change that a browser counts."""


async def keep(
    db: AsyncSession, account: Account, tab: str, post_id: int | None, change: int, typed: dict[str, Any]
) -> bool:
    """Store what the tab holds, unless a later change of it is there. False if it has ended."""
    await hold(db, account)
    row = await of_tab(db, account, tab)
    if row is None:
        await _make_room(db, account)
        db.add(UnsavedText(account_id=account.id, tab=tab, post_id=post_id, change=change, typed=typed))
    elif row.ended_at is None and row.change < change:
        row.change, row.typed, row.typed_at = change, typed, datetime.now(UTC)
    return row is None or row.ended_at is None


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
    mine = select(UnsavedText.id).where(UnsavedText.account_id == account.id)
    old = (await db.scalars(mine.order_by(UnsavedText.typed_at.desc()).offset(MOST - 1))).all()
    if old:
        await db.execute(delete(UnsavedText).where(UnsavedText.id.in_(old)))
