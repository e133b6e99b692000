"""Tell the author of a reminder that was missed: by one mail, and no second one, wherever a worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import CursorResult, select, update

from app import database
from app.accounts import Account
from app.mail import GIVE_UP_AFTER, DeliveryFailed, Outcome, back_off, current_mailer
from app.reminders import mails
from app.reminders.models import Reminder, State

CHUNK = 500


class NotNow(Exception):
    """Somebody else tells it, or it was changed or deleted meanwhile."""


async def untold() -> Sequence[Reminder]:
    """The missed reminders whose authors are to be mailed now, oldest first."""
    now = datetime.now(UTC)
    due = Reminder.next_try_at <= now, Reminder.date > now - GIVE_UP_AFTER
    query = select(Reminder).where(Reminder.state == State.MISSED, Reminder.told_at.is_(None), *due)
    async with database.session() as db:
        return (await db.scalars(query.order_by(Reminder.next_try_at).limit(CHUNK))).all()


async def tell(pk: int) -> None:
    """Mail the author of reminder *pk*, unless that was done or it is not missed any more.

    Claimed before the text leaves: a mail that may have arrived is not sent again.
    """
    async with database.session() as db:
        reminder = await db.get(Reminder, pk)
        author = await db.get(Account, reminder.account_id) if reminder and reminder.account_id else None
    if reminder is None or author is None or reminder.state != State.MISSED or reminder.told_at is not None:
        return
    told_at: datetime | None = None

    async def claim() -> None:
        nonlocal told_at
        now = datetime.now(UTC)
        if not await _change(reminder, None, told_at=now):
            raise NotNow
        told_at = now

    try:
        await current_mailer().send(await mails.missed(reminder, author), before_data=claim)
    except NotNow:
        return
    except DeliveryFailed as failed:
        now = datetime.now(UTC)
        values: dict[str, datetime | None] = {"told_at": now}
        if failed.outcome not in (Outcome.PERMANENT, Outcome.UNCERTAIN):
            values = {"told_at": None, "next_try_at": now + back_off(now - reminder.date)}
        await asyncio.shield(_change(reminder, told_at, **values))


async def _change(reminder: Reminder, as_told: datetime | None, **values: datetime | None) -> bool:
    """Change the row if it is the same revision, still missed, and told as it was."""
    same = Reminder.id == reminder.id, Reminder.revision == reminder.revision, Reminder.state == State.MISSED
    told = Reminder.told_at.is_(None) if as_told is None else Reminder.told_at == as_told
    async with database.session() as db:
        changed = await db.execute(update(Reminder).where(*same, told).values(**values))
        await db.commit()
    assert isinstance(changed, CursorResult)
    return changed.rowcount == 1
