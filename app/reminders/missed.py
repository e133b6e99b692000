"""Tell the authors of missed reminders: each by one mail, and no second one, wherever a worker dies.

An author gets one such mail an hour at most: it names all that were missed since the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app import database
from app.accounts import Account, hold
from app.mail import GIVE_UP_AFTER, DeliveryFailed, Outcome, back_off, current_mailer
from app.reminders import mails
from app.reminders.models import Reminder, State

CHUNK = 500
MOST = 500
"""Reminders that one mail tells of; those beyond it are told an hour later."""
EVERY = timedelta(hours=1)


class NotNow(Exception):
    """Somebody else tells of one of them, or it was changed or deleted meanwhile."""


async def untold() -> Sequence[Reminder]:
    """One missed reminder of each author who is to be mailed now."""
    now = datetime.now(UTC)
    told = aliased(Reminder)
    lately = exists().where(told.account_id == Reminder.account_id, told.told_at > now - EVERY)
    due = *_untold(now), Reminder.next_try_at <= now, Reminder.account_id.is_not(None), ~lately
    firsts = select(func.min(Reminder.id)).where(*due).group_by(Reminder.account_id).limit(CHUNK)
    async with database.session() as db:
        return (await db.scalars(select(Reminder).where(Reminder.id.in_(firsts)))).all()


async def tell(pk: int) -> None:
    """Mail the author of reminder *pk* that it was missed, and which others; nothing if it is told, or not missed.

    Claimed before the text leaves: a mail that may have arrived is not sent again.
    """
    async with database.session() as db:
        reminder = await db.get(Reminder, pk)
        author = await db.get(Account, reminder.account_id) if reminder and reminder.account_id else None
        if (
            reminder is None
            or author is None
            or reminder.state != State.MISSED
            or reminder.told_at is not None
        ):
            return
        query = select(Reminder).where(Reminder.account_id == author.id, *_untold(datetime.now(UTC)))
        missed = (await db.scalars(query.order_by(Reminder.date, Reminder.id).limit(MOST))).all()
    if not missed:
        return
    told_at: datetime | None = None

    async def claim() -> None:
        nonlocal told_at
        now = datetime.now(UTC)
        async with database.transaction() as db:
            if await _change(db, author, missed, None, told_at=now) != len(missed):
                raise NotNow
        told_at = now

    try:
        await current_mailer().send(await mails.missed(missed, author), before_data=claim)
    except NotNow:
        return
    except DeliveryFailed as failed:
        await asyncio.shield(_record_failure(author, missed, failed, told_at))


async def _record_failure(
    author: Account, missed: Sequence[Reminder], failed: DeliveryFailed, told_at: datetime | None
) -> None:
    now = datetime.now(UTC)
    values: dict[str, datetime | None] = {"told_at": now}
    if failed.outcome not in (Outcome.PERMANENT, Outcome.UNCERTAIN):
        values = {"told_at": None, "next_try_at": now + back_off(now - missed[-1].date)}
    async with database.transaction() as db:
        await _change(db, author, missed, told_at, **values)


async def _change(
    db: AsyncSession,
    author: Account,
    missed: Sequence[Reminder],
    as_told: datetime | None,
    **values: datetime | None,
) -> int:
    """Change those that are missed still, and told as they were; how many. An edited one is missed no more."""
    await hold(db, author)  # whoever deletes it, edits one, or tells of the same ones comes before or after
    told = Reminder.told_at.is_(None) if as_told is None else Reminder.told_at == as_told
    same = Reminder.id.in_([one.id for one in missed]), Reminder.state == State.MISSED, told
    changed = await db.execute(update(Reminder).where(*same).values(**values))
    assert isinstance(changed, CursorResult)
    return changed.rowcount


def _untold(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Reminder.state == State.MISSED, Reminder.told_at.is_(None), Reminder.date > now - GIVE_UP_AFTER
