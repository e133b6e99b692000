"""Mail the authors of missed reminders. Each reminder is in one mail and never in two, even if a worker dies.

An author gets at most one such mail an hour. It lists all reminders missed since the mail before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import ColumnElement, CursorResult, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app import database
from app.accounts import Account, hold
from app.mail import GIVE_UP_AFTER, DeliveryFailed, back_off, outbox
from app.mail.outbox import LostClaim, Outgoing
from app.reminders import mails
from app.reminders.models import Reminder, State

MAX_AUTHORS = 500
MAX_IN_ONE_MAIL = 500
"""Reminders in one mail. The rest is in the mail an hour later."""
MAIL_INTERVAL = timedelta(hours=1)


async def due() -> Sequence[Reminder]:
    """One missed reminder of each author who is to be mailed now."""
    now = datetime.now(UTC)
    mailed = aliased(Reminder)
    lately = exists().where(mailed.account_id == Reminder.account_id, mailed.told_at > now - MAIL_INTERVAL)
    unmailed = *_unmailed(now), Reminder.next_try_at <= now, Reminder.account_id.is_not(None), ~lately
    firsts = select(func.min(Reminder.id)).where(*unmailed).group_by(Reminder.account_id).limit(MAX_AUTHORS)
    async with database.session() as db:
        return (await db.scalars(select(Reminder).where(Reminder.id.in_(firsts)))).all()


async def mail_author(pk: int) -> None:
    """Mail the author of reminder *pk* that it and others were missed. Nothing if it was mailed, or is not missed."""
    async with database.session() as db:
        reminder = await db.get(Reminder, pk)
        author = await db.get(Account, reminder.account_id) if reminder and reminder.account_id else None
        if reminder is None or author is None or reminder.state != State.MISSED or reminder.told_at is not None:
            return
        query = select(Reminder).where(Reminder.account_id == author.id, *_unmailed(datetime.now(UTC)))
        missed = (await db.scalars(query.order_by(Reminder.date, Reminder.id).limit(MAX_IN_ONE_MAIL))).all()
    if not missed:
        return
    await outbox.deliver(_Mail(author, missed))


class _Mail(Outgoing):
    """The mail to the author. If it may have arrived, it is not sent again."""

    def __init__(self, author: Account, missed: Sequence[Reminder]) -> None:
        self._author = author
        self._missed = missed
        self._told_at: datetime | None = None

    async def compose(self) -> EmailMessage:
        return await mails.missed(self._missed, self._author)

    async def claim(self) -> None:
        """LostClaim: a reminder was changed or deleted meanwhile, or another worker has mailed the author."""
        now = datetime.now(UTC)
        lately = exists().where(Reminder.account_id == self._author.id, Reminder.told_at > now - MAIL_INTERVAL)
        async with database.transaction() as db:
            await hold(db, self._author)
            if await db.scalar(select(lately)) or await self._change(db, told_at=now) != len(self._missed):
                raise LostClaim
        self._told_at = now

    async def not_now(self, failed: DeliveryFailed) -> None:
        now = datetime.now(UTC)
        await self._settle(told_at=None, next_try_at=now + back_off(now - self._missed[-1].date))

    async def refused(self, failed: DeliveryFailed) -> None:
        await self._settle(told_at=datetime.now(UTC))

    async def uncertain(self, failed: DeliveryFailed) -> None:
        await self._settle(told_at=datetime.now(UTC))

    async def _settle(self, **values: datetime | None) -> None:
        async with database.transaction() as db:
            await self._change(db, **values)

    async def _change(self, db: AsyncSession, **values: datetime | None) -> int:
        """Change the reminders that are still missed and have the same `told_at`. Returns their number."""
        await hold(db, self._author)  # serialises this with edits, deletions and other mails
        unchanged = Reminder.told_at == self._told_at if self._told_at else Reminder.told_at.is_(None)
        same = Reminder.id.in_([one.id for one in self._missed]), Reminder.state == State.MISSED, unchanged
        changed = await db.execute(update(Reminder).where(*same).values(**values))
        assert isinstance(changed, CursorResult)
        return changed.rowcount


def _unmailed(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Reminder.state == State.MISSED, Reminder.told_at.is_(None), Reminder.date > now - GIVE_UP_AFTER
