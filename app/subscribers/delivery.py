"""Send confirmation mails: one for each request and no second one, even if a worker dies.

SQL holds the due mails. A page sends its own at once, and a sweep sends those that did not leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from sqlalchemy import CursorResult, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.mail import GIVE_UP_AFTER, DeliveryFailed, back_off, outbox
from app.mail.outbox import LostClaim, Outgoing
from app.subscribers import mails, states
from app.subscribers.models import Subscriber

MAX_ROWS = 500
IMPORTED_A_MINUTE = 16
"""Less than 1,000 an hour, as visitors may cause too: an import of 10,000 takes ten and a half hours."""


async def send(pk: int) -> None:
    """Mail the confirmation of subscriber *pk* if one is due. After a temporary failure it stays due."""
    async with database.session() as db:
        subscriber = await db.get(Subscriber, pk)
    if subscriber is None or subscriber.mail_due_at is None:
        return
    await outbox.deliver(_Mail(subscriber))


async def overdue() -> Sequence[Subscriber]:
    """The subscribers with an overdue mail. Each is due again after 1, 2, 4 ... 30 minutes.

    Of imported ones at most IMPORTED_A_MINUTE, because this runs once a minute.
    """
    now = datetime.now(UTC)
    due = Subscriber.mail_due_at <= now
    since = func.coalesce(Subscriber.mail_due_at, Subscriber.created_at)
    query = select(Subscriber).order_by(since, Subscriber.id).with_for_update(skip_locked=True)
    asked = query.where(due, Subscriber.import_id.is_(None)).limit(MAX_ROWS)
    imported = query.where(or_(due, states.is_waiting()), Subscriber.import_id.is_not(None)).limit(IMPORTED_A_MINUTE)
    found = []
    async with database.transaction() as db:
        for some in (asked, imported):
            for subscriber in await db.scalars(some):
                subscriber.asked_at = subscriber.asked_at or now
                age = now - subscriber.asked_at
                subscriber.mail_due_at = now + back_off(age)
                if age > GIVE_UP_AFTER:
                    subscriber.mail_due_at = None
                else:
                    found.append(subscriber)
    return found


class _Mail(Outgoing):
    """The mail of a confirmation. If it may have arrived, it is not sent again."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._same = Subscriber.id == subscriber.id, Subscriber.asked_at == subscriber.asked_at
        self._claimed = False

    async def compose(self) -> EmailMessage:
        return await mails.confirmation(self._subscriber)

    async def claim(self) -> None:
        """LostClaim: another worker sends it, or there is a newer request."""
        due = update(Subscriber).where(*self._same, Subscriber.mail_due_at.is_not(None))
        async with database.session() as db:
            changed = await db.execute(due.values(mail_due_at=None))
            await db.commit()
        assert isinstance(changed, CursorResult)
        if changed.rowcount != 1:
            raise LostClaim
        self._claimed = True

    async def not_now(self, failed: DeliveryFailed) -> None:
        if self._claimed:
            async with database.transaction() as db:
                await self._change(db, mail_due_at=self._subscriber.mail_due_at)

    async def refused(self, failed: DeliveryFailed) -> None:
        async with database.transaction() as db:
            await self._change(db, mail_due_at=None, reason=failed.reason)
            if failed.address_refused or failed.no_such_address:  # else the server refuses the site or the text
                await states.refused(db, self._subscriber.id, failed)

    async def _change(self, db: AsyncSession, **values: Any) -> None:
        await db.execute(update(Subscriber).where(*self._same, states.is_reachable()).values(**values))
