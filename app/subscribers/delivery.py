"""Send confirmation mails: one for each asking and no second one, wherever a worker dies.

SQL says which mails are due. A page sends its own at once; what did not leave then, a sweep takes up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import CursorResult, select, update

from app import database
from app.mail import GIVE_UP_AFTER, DeliveryFailed, Outcome, back_off, current_mailer
from app.subscribers import mails, states
from app.subscribers.models import Subscriber

CHUNK = 500


class LostClaim(Exception):
    """Somebody else sends it, or it has been asked for anew."""


async def send(pk: int) -> None:
    """Mail the confirmation that is due to subscriber *pk*, if one is. What can be tried again stays due.

    Claimed before its text leaves: a mail that may have arrived is not sent again.
    """
    async with database.session() as db:
        subscriber = await db.get(Subscriber, pk)
    if subscriber is None or subscriber.mail_due_at is None:
        return
    claimed = False

    async def claim() -> None:
        nonlocal claimed
        await _claim(subscriber)
        claimed = True

    try:
        await current_mailer().send(await mails.confirmation(subscriber), before_data=claim)
    except DeliveryFailed as failed:
        await _settle(subscriber, failed, claimed)
    except LostClaim:
        pass


async def overdue() -> Sequence[int]:
    """The subscribers whose mail should have left by now; each is due again in 1, 2, 4 ... 30 minutes."""
    now = datetime.now(UTC)
    query = select(Subscriber).where(Subscriber.mail_due_at <= now).order_by(Subscriber.mail_due_at)
    found = []
    async with database.transaction() as db:
        for subscriber in await db.scalars(query.limit(CHUNK).with_for_update(skip_locked=True)):
            age = now - (subscriber.asked_at or now)
            subscriber.mail_due_at = now + back_off(age)
            if age > GIVE_UP_AFTER:
                subscriber.mail_due_at = None
            else:
                found.append(subscriber.id)
    return found


async def _claim(subscriber: Subscriber) -> None:
    still = (
        Subscriber.id == subscriber.id,
        Subscriber.asked_at == subscriber.asked_at,
        Subscriber.mail_due_at.is_not(None),
    )
    async with database.session() as db:
        changed = await db.execute(update(Subscriber).where(*still).values(mail_due_at=None))
        await db.commit()
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise LostClaim


async def _settle(subscriber: Subscriber, failed: DeliveryFailed, claimed: bool) -> None:
    """What follows from each outcome; the table is in docs/mail.md."""
    same = Subscriber.id == subscriber.id, Subscriber.asked_at == subscriber.asked_at
    async with database.transaction() as db:
        if failed.outcome is Outcome.PERMANENT:
            said = {"mail_due_at": None, "reason": failed.reason}
            await db.execute(update(Subscriber).where(*same, states.is_reachable()).values(**said))
            if failed.address_refused or failed.no_such_address:  # else it was said of us, or of the text
                await states.refused(db, subscriber.id, failed)
        elif claimed and failed.outcome is not Outcome.UNCERTAIN:
            again = {"mail_due_at": subscriber.mail_due_at}
            await db.execute(update(Subscriber).where(*same, states.is_reachable()).values(again))
