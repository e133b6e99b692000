"""The changes of a subscriber's state, in the caller's transaction. The digest goes to CONFIRMED ones only.

ASKED -> CONFIRMED -> UNSUBSCRIBED -> ASKED. Refusals of mail servers lead to SUPPRESSED, until the owner lifts it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, case, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.mail import DeliveryFailed
from app.subscribers import forgotten
from app.subscribers.models import WAITING, Kind, Movement, State, Subscriber

ONE_MAIL_PER = timedelta(hours=24)
SWEEP_AFTER = timedelta(minutes=1)
MOST_REFUSALS = 3


async def ask(db: AsyncSession, email: str) -> Subscriber | None:
    """A visitor typed this (parsed) address. Returns its subscriber if a mail is to be sent to it now.

    An address gets one mail in 24 h, unless it has answered the last one. A suppressed address gets none.
    """
    subscriber = await _of_address(db, email)
    now = datetime.now(UTC)
    if subscriber.state == State.SUPPRESSED or not _may_be_mailed(subscriber, now):
        return None
    if subscriber.state == State.UNSUBSCRIBED:
        subscriber.state, subscriber.confirmed_at = State.ASKED, None
    subscriber.asked_at, subscriber.mail_due_at = now, now + SWEEP_AFTER
    return subscriber


def confirm(db: AsyncSession, subscriber: Subscriber) -> None:
    """Begin to send it the digest. Idempotent."""
    if subscriber.state == State.ASKED:
        subscriber.state, subscriber.confirmed_at = State.CONFIRMED, datetime.now(UTC)
        subscriber.mail_due_at, subscriber.reason, subscriber.refusals = None, "", 0
        db.add(Movement(kind=Kind.CONFIRMED))


def unsubscribe(db: AsyncSession, subscriber: Subscriber, issue: int | None = None) -> None:
    """Send it nothing any more. *issue* is the number of the issue whose link was used. Idempotent."""
    _count_leaving(db, subscriber, issue)
    if subscriber.state != State.UNSUBSCRIBED:
        subscriber.state, subscriber.ended_at = State.UNSUBSCRIBED, datetime.now(UTC)
        subscriber.mail_due_at = None


async def forget(db: AsyncSession, subscriber: Subscriber, issue: int | None = None) -> None:
    """Delete it, so that no import adds it again. Its deliveries keep their rows, without it."""
    _count_leaving(db, subscriber, issue)
    await forgotten.remember(db, [subscriber.email])
    await db.delete(subscriber)


def _count_leaving(db: AsyncSession, subscriber: Subscriber, issue: int | None) -> None:
    if subscriber.state == State.CONFIRMED:
        db.add(Movement(kind=Kind.LEFT, issue=issue))


async def refused(db: AsyncSession, subscriber_id: int, failed: DeliveryFailed) -> None:
    """Count a mail that a mail server has refused for good (PERMANENT). The third one suppresses the address.

    The first one does if the server says that there is no such address.
    """
    if failed.no_such_address:
        await suppress(db, subscriber_id, failed.reason)
        return
    refusals = Subscriber.refusals + 1
    too_many = refusals >= MOST_REFUSALS
    values = {
        "refusals": refusals,
        "reason": failed.reason[:500],
        "state": case((too_many, State.SUPPRESSED), else_=Subscriber.state),
        "ended_at": case((too_many, datetime.now(UTC)), else_=Subscriber.ended_at),
    }
    await db.execute(update(Subscriber).where(Subscriber.id == subscriber_id, is_reachable()).values(**values))


async def suppress(db: AsyncSession, subscriber_id: int, reason: str) -> None:
    """Send it no mail any more. *reason* is a sentence for the owner. It does not become unsubscribed."""
    values = {"state": State.SUPPRESSED, "ended_at": datetime.now(UTC), "reason": reason[:500], "mail_due_at": None}
    await db.execute(update(Subscriber).where(Subscriber.id == subscriber_id, is_reachable()).values(**values))


def lift(subscriber: Subscriber) -> None:
    """Restore the state from before the suppression."""
    if subscriber.state == State.SUPPRESSED:
        subscriber.state = State.CONFIRMED if subscriber.confirmed_at else State.ASKED
        subscriber.ended_at, subscriber.reason, subscriber.refusals = None, "", 0


async def delete_unconfirmed(db: AsyncSession, before: datetime) -> int:
    """Delete the addresses that were last requested before *before* and never confirmed. Returns how many.

    Imported ones that were not mailed yet wait for their turn. The others are not imported again.
    """
    requested = func.coalesce(Subscriber.asked_at, Subscriber.created_at)
    over = Subscriber.state == State.ASKED, requested < before, ~is_waiting()
    imported = select(Subscriber.email).where(*over, Subscriber.import_id.is_not(None))
    await forgotten.remember(db, await db.scalars(imported))
    deleted = await db.execute(delete(Subscriber).where(*over), execution_options={"synchronize_session": False})
    assert isinstance(deleted, CursorResult)
    return deleted.rowcount


async def _of_address(db: AsyncSession, email: str) -> Subscriber:
    """The subscriber of this address, locked. Created if it is new."""
    query = select(Subscriber).where(Subscriber.email == email).with_for_update()
    found = (await db.scalars(query)).one_or_none()
    if found is None:
        try:
            async with db.begin_nested():
                found = Subscriber(email=email)
                db.add(found)
        except IntegrityError:  # requested twice at the same moment
            found = (await db.scalars(query)).one()
    return found


def _may_be_mailed(subscriber: Subscriber, now: datetime) -> bool:
    if subscriber.asked_at is None or subscriber.asked_at <= now - ONE_MAIL_PER:
        return True
    answers = (subscriber.confirmed_at, subscriber.ended_at)
    return any(answer is not None and answer > subscriber.asked_at for answer in answers)


def is_waiting() -> ColumnElement[bool]:
    """For WHERE: imported, and never mailed."""
    return Subscriber.import_id.is_not(None) & Subscriber.asked_at.is_(None) & (Subscriber.state == State.ASKED)


def shown_as(state: str) -> ColumnElement[bool]:
    """For WHERE: subscribers that the owner sees in this state, WAITING or a State."""
    if state == WAITING:
        return is_waiting()
    return (Subscriber.state == state) & ~is_waiting()


def shown_state() -> ColumnElement[str]:
    """For SELECT: the state that the owner sees."""
    return case((is_waiting(), WAITING), else_=Subscriber.state)


def is_reachable() -> ColumnElement[bool]:
    """For WHERE: neither suppressed nor unsubscribed."""
    return Subscriber.state.in_((State.ASKED, State.CONFIRMED))
