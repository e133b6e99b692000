"""Send one reminder: claim it in SQL before DATA, settle it after the answer. Two workers never send it at once."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.mail import GIVE_UP_AFTER, DeliveryFailed, HeaderRefused, back_off, outbox
from app.mail.outbox import LostClaim, Outgoing
from app.reminders import limits, mails
from app.reminders.models import NO_CONSENT, Reminder, State, may_be_mailed

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)  # another worker takes over from a dead one this much later
RENEW_S = 10
AFTER_UNCERTAIN = timedelta(minutes=1)
AFTER_BUSY = timedelta(seconds=5)
EARLY = timedelta(seconds=60)  # an alarm up to this early waits; an earlier one is of an old revision

ENOUGH_TODAY = "This address has got enough reminders from others today. It is mailed later."
MAY_HAVE_ARRIVED = "The mail server broke off twice before it confirmed the mail: it may have arrived."


@dataclass(frozen=True)
class Tries:
    """How often a mail server may refuse for now, and how long to wait after each refusal."""

    more: int
    every: timedelta


class HasToWait(Exception):
    """Its address has meanwhile got the maximum from others."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(wait)
        self.wait = wait


async def deliver(pk: int, tries: Tries) -> timedelta | None:
    """Send reminder *pk* if it is due. Returns when to call this again; None if nothing is left to do.

    Safe to call for a reminder that is sent, cancelled, edited or gone, and twice at once: the row decides.
    If a worker dies before DATA, nothing was sent. If it dies after DATA, the mail is sent once more.
    """
    try:
        async with database.session() as db:
            reminder = await db.get(Reminder, pk)
        return await _deliver(reminder, tries) if reminder is not None else None
    except LostClaim:
        return None
    except OperationalError as error:
        log.warning("the database could not record reminder %s now: %s", pk, error.orig)
        return AFTER_BUSY


async def _deliver(reminder: Reminder, tries: Tries) -> timedelta | None:
    now = datetime.now(UTC)
    if reminder.state == State.SCHEDULED:
        early = reminder.next_try_at - now
        if early > timedelta(0):
            return early if early < EARLY else None
    elif reminder.state == State.SENDING:
        left = (reminder.claimed_until or now) - now
        if left > timedelta(0):
            return left + timedelta(seconds=1)
        if reminder.uncertain:
            await _change(reminder, state=State.FAILED, reason=MAY_HAVE_ARRIVED)
            return None
        reminder.uncertain = 1  # its worker died between DATA and the answer
    else:
        return None
    if not await _is_allowed(reminder):
        await _change(reminder, state=State.DECLINED, reason=NO_CONSENT)
        return None
    if reminder.state == State.SCHEDULED and (wait := await _has_to_wait(reminder)):
        return await _again(reminder, wait, ENOUGH_TODAY)
    return await _send(reminder, tries)


class _Mail(Outgoing):
    """A reminder that is due. `wait` is what `deliver` returns."""

    def __init__(self, reminder: Reminder, tries: Tries) -> None:
        self.reminder = reminder
        self.tries = tries
        self.wait: timedelta | None = None

    async def compose(self) -> EmailMessage:
        return await mails.reminder(self.reminder)

    async def claim(self) -> None:
        until = datetime.now(UTC) + CLAIM
        sending = {"state": State.SENDING, "claims": self.reminder.claims + 1, "claimed_until": until}
        async with database.transaction() as db:
            if wait := await limits.wait_before(db, self.reminder):
                raise HasToWait(wait)
            # The consent may have been withdrawn a moment ago.
            await _change_in(db, self.reminder, may_be_mailed(), **sending)

    def renewing(self) -> AbstractAsyncContextManager[None]:
        async def renew() -> None:
            if self.reminder.state == State.SENDING:
                await _change(self.reminder, claimed_until=datetime.now(UTC) + CLAIM)

        return outbox.renewing(renew, RENEW_S)

    async def sent(self) -> None:
        try:
            await _change(self.reminder, state=State.SENT, sent_at=datetime.now(UTC), reason="")
        except LostClaim:
            log.error("%s was taken over or deleted during its sending: it may be mailed twice", self.reminder.job_id)

    async def unreachable(self, failed: DeliveryFailed) -> None:
        now = datetime.now(UTC)
        since = self.reminder.unreachable_since or now
        if now - since >= GIVE_UP_AFTER:
            reason = f"Given up after 4 days. {failed.reason}"
            return await _change(self.reminder, state=State.FAILED, reason=reason)
        await self._again(back_off(now - since), failed.reason, unreachable_since=since)

    async def not_now(self, failed: DeliveryFailed) -> None:
        answers = self.reminder.attempts + 1
        if answers > self.tries.more:
            return await self.refused(failed)
        await self._again(self.tries.every, failed.reason, attempts=answers, unreachable_since=None)

    async def refused(self, failed: DeliveryFailed) -> None:
        answers = self.reminder.attempts + 1
        await _change(self.reminder, state=State.FAILED, reason=failed.reason, attempts=answers)

    async def uncertain(self, failed: DeliveryFailed) -> None:
        if self.reminder.uncertain:
            return await _change(self.reminder, state=State.FAILED, reason=MAY_HAVE_ARRIVED)
        await self._again(AFTER_UNCERTAIN, failed.reason, uncertain=1)

    async def _again(self, wait: timedelta, reason: str, **values: Any) -> None:
        self.wait = await _again(self.reminder, wait, reason, **values)


async def _send(reminder: Reminder, tries: Tries) -> timedelta | None:
    mail = _Mail(reminder, tries)
    try:
        await outbox.deliver(mail)
    except HasToWait as enough:
        return await _again(reminder, enough.wait, ENOUGH_TODAY)
    except HeaderRefused as error:
        await _change(reminder, state=State.FAILED, reason=str(error))
    return mail.wait


async def _again(reminder: Reminder, wait: timedelta, reason: str, **values: Any) -> timedelta:
    next_try_at = datetime.now(UTC) + wait
    await _change(reminder, state=State.SCHEDULED, next_try_at=next_try_at, reason=reason, **values)
    return wait


async def _is_allowed(reminder: Reminder) -> bool:
    async with database.session() as db:
        query = select(Reminder.id).where(Reminder.id == reminder.id, may_be_mailed())
        return await db.scalar(query) is not None


async def _has_to_wait(reminder: Reminder) -> timedelta | None:
    async with database.session() as db:
        return await limits.wait_before(db, reminder)


async def _change(reminder: Reminder, *only_if: ColumnElement[bool], **values: Any) -> None:
    """Change the row if nobody has changed it since it was read, and *only_if* holds. LostClaim otherwise."""
    async with database.session() as db:
        await _change_in(db, reminder, *only_if, **values)
        await db.commit()


async def _change_in(db: AsyncSession, reminder: Reminder, *only_if: ColumnElement[bool], **values: Any) -> None:
    values = {"uncertain": reminder.uncertain} | values
    as_read = (
        Reminder.id == reminder.id,
        Reminder.revision == reminder.revision,
        Reminder.state == reminder.state,
        Reminder.claims == reminder.claims,
    )
    changed = await db.execute(update(Reminder).where(*as_read, *only_if).values(**values))
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise LostClaim(reminder.job_id)
    for name, value in values.items():
        setattr(reminder, name, value)
