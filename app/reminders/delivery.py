"""Send one reminder: claimed in SQL before its text leaves, settled after the answer, never sent by two at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.mail import (
    GIVE_UP_AFTER,
    DeliveryFailed,
    HeaderRefused,
    Outcome,
    back_off,
    current_mailer,
)
from app.reminders import limits, mails
from app.reminders.models import NO_CONSENT, Reminder, State, may_be_mailed
from jobs import cancel_until_ended

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)  # after a worker's death, what it was sending is taken over this much later
RENEW_S = 10
AFTER_UNCERTAIN = timedelta(minutes=1)
AFTER_BUSY = timedelta(seconds=5)
EARLY = timedelta(seconds=60)  # an alarm this early waits for the time; an earlier one is of an old revision

ENOUGH_TODAY = "This address has got enough reminders from others today. It is mailed later."
MAY_HAVE_ARRIVED = "The mail server broke off twice before it confirmed the mail: it may have arrived."


@dataclass(frozen=True)
class Tries:
    """How often a mail server may answer "not now", and how long to wait after it did."""

    more: int
    every: timedelta


class LostClaim(Exception):
    """Somebody else sends it, or it was edited, cancelled or declined since it was read."""


class HasToWait(Exception):
    """Its address has got enough from others meanwhile."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(wait)
        self.wait = wait


async def deliver(pk: int, tries: Tries) -> timedelta | None:
    """Send reminder *pk* if it is due. Answers when to call this again; None: nothing is left to do.

    Called for one that is sent, cancelled, edited or gone, or from two places at once, it does no harm: the row
    decides. A worker that dies before DATA has sent nothing; one that dies after it is repeated once.
    """
    try:
        async with database.session() as db:
            reminder = await db.get(Reminder, pk)
        return await _deliver(reminder, tries) if reminder is not None else None
    except LostClaim:
        return None
    except OperationalError as error:
        log.warning("the database could not take reminder %s now: %s", pk, error.orig)
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


async def _send(reminder: Reminder, tries: Tries) -> timedelta | None:
    async def claim() -> None:
        until = datetime.now(UTC) + CLAIM
        sending = {"state": State.SENDING, "claims": reminder.claims + 1, "claimed_until": until}
        async with database.transaction() as db:
            if wait := await limits.wait_before(db, reminder):
                raise HasToWait(wait)
            await _change_in(
                db, reminder, may_be_mailed(), **sending
            )  # it may have been withdrawn a moment ago

    try:
        message = await mails.reminder(reminder)
        async with _renewing(reminder):
            await current_mailer().send(message, before_data=claim)
            # Shielded: what stops this worker now must not make the next one send it again.
            await asyncio.shield(_record_sent(reminder))
    except HasToWait as enough:
        return await _again(reminder, enough.wait, ENOUGH_TODAY)
    except HeaderRefused as error:
        await _change(reminder, state=State.FAILED, reason=str(error))
    except DeliveryFailed as failed:
        return await _settle(reminder, failed, tries)
    return None


async def _record_sent(reminder: Reminder) -> None:
    """Stubborn: a mail that went out and is not recorded would go out again."""
    for patience in (True, True, True, True, False):
        try:
            await _change(reminder, state=State.SENT, sent_at=datetime.now(UTC), reason="")
        except LostClaim:
            log.error(
                "%s was taken over or deleted while it was sent: it may be mailed twice", reminder.job_id
            )
        except OperationalError:
            if not patience:
                raise
            await asyncio.sleep(1)
            continue
        return


async def _settle(reminder: Reminder, failed: DeliveryFailed, tries: Tries) -> timedelta | None:
    """What follows from each outcome; the table is in docs/mail.md."""
    now = datetime.now(UTC)
    if failed.outcome is Outcome.UNCERTAIN and not reminder.uncertain:
        return await _again(reminder, AFTER_UNCERTAIN, failed.reason, uncertain=1)
    if failed.outcome is Outcome.UNCERTAIN:
        await _change(reminder, state=State.FAILED, reason=MAY_HAVE_ARRIVED)
        return None
    if failed.outcome.host_fault:
        since = reminder.unreachable_since or now
        if now - since < GIVE_UP_AFTER:
            return await _again(reminder, back_off(now - since), failed.reason, unreachable_since=since)
        await _change(reminder, state=State.FAILED, reason=f"Given up after 4 days. {failed.reason}")
        return None
    answers = reminder.attempts + 1
    if failed.outcome is Outcome.TRANSIENT and answers <= tries.more:
        return await _again(reminder, tries.every, failed.reason, attempts=answers, unreachable_since=None)
    await _change(reminder, state=State.FAILED, reason=failed.reason, attempts=answers)
    return None


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
    """Change the row if it still is as it was read, and *only_if*; else LostClaim."""
    async with database.session() as db:
        await _change_in(db, reminder, *only_if, **values)
        await db.commit()


async def _change_in(
    db: AsyncSession, reminder: Reminder, *only_if: ColumnElement[bool], **values: Any
) -> None:
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


@contextlib.asynccontextmanager
async def _renewing(reminder: Reminder) -> AsyncIterator[None]:
    """While it is sent, say every 10 s that its worker lives: the answer may take eleven minutes."""
    renewing = asyncio.create_task(_renew(reminder))
    try:
        yield
    finally:
        await cancel_until_ended([renewing])


async def _renew(reminder: Reminder) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        if reminder.state == State.SENDING:
            with contextlib.suppress(LostClaim, OperationalError):  # the settling change finds out
                await _change(reminder, claimed_until=datetime.now(UTC) + CLAIM)
