"""Mail the requests: each once, one a day to an address, and none that no reminder waits for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, select, update

from app import database
from app.accounts import Account
from app.mail import DeliveryFailed, Outcome, current_mailer
from app.reminders.consents import answers, mails
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import Reminder, State

AGAIN_AFTER = timedelta(minutes=5)


class NotNow(Exception):
    """It was answered, cancelled or mailed meanwhile, or the address was asked by somebody else today."""


async def due() -> list[Consent]:
    """The requests that are to be mailed now."""
    async with database.session() as db:
        query = select(Consent).where(Consent.mail_due_at <= datetime.now(UTC)).order_by(Consent.mail_due_at)
        return list(await db.scalars(query.limit(500)))


async def send(pk: int) -> None:
    """Mail this request if it is its turn. Called twice, too early or too late, it does no harm: the row decides."""
    async with database.session() as db:
        consent = await db.get(Consent, pk)
        asker = await db.get(Account, consent.account_id) if consent and consent.account_id else None
    if consent is None or asker is None or not _is_due(consent):
        return

    claimed_at: datetime | None = None

    async def claim() -> None:
        nonlocal claimed_at
        claimed_at = await _claim(pk, consent.email)
        if claimed_at is None:
            raise NotNow

    try:
        message = await mails.request(consent, asker)
        await current_mailer().send(message, before_data=claim)
    except NotNow:
        return  # the row says when to look again
    except DeliveryFailed as failed:
        await asyncio.shield(_record_failure(consent, failed, claimed_at))


async def _claim(pk: int, email: str) -> datetime | None:
    """Take the address's turn of the day, and say when that was; None: it is not its turn.

    Committed before the text leaves: whoever dies then has asked.
    """
    async with database.transaction() as db:
        same_address = select(Consent).where(Consent.email == email).order_by(Consent.id).with_for_update()
        rows = {row.id: row for row in await db.scalars(same_address)}
        consent = rows.get(pk)
        if consent is None or not _is_due(consent):
            return None
        if not await db.scalar(select(exists().where(*_waits_for(consent)))):
            consent.mail_due_at = None
            return None
        turn, now = await answers.next_turn(db, email), datetime.now(UTC)
        if turn > now:
            consent.mail_due_at = turn
            return None
        consent.mail_due_at, consent.asked_at = None, now
    return now


async def _record_failure(consent: Consent, failed: DeliveryFailed, claimed_at: datetime | None) -> None:
    """What was refused for good, or may have gone out, counts as asked; the rest is tried again.

    Nothing of it counts if the request was mailed from elsewhere meanwhile, or changed.
    """
    if failed.outcome is Outcome.UNCERTAIN:
        return
    values: dict[str, Any] = {"reason": failed.reason[:500], "mail_due_at": None}
    if failed.outcome is not Outcome.PERMANENT:
        values |= {"mail_due_at": datetime.now(UTC) + AGAIN_AFTER, "asked_at": consent.asked_at}
    async with database.session() as db:
        unanswered = Consent.id == consent.id, Consent.answer == Answer.NONE
        as_left = (
            Consent.mail_due_at == consent.mail_due_at
            if claimed_at is None
            else Consent.mail_due_at.is_(None) & (Consent.asked_at == claimed_at)
        )
        await db.execute(update(Consent).where(*unanswered, as_left).values(**values))
        await db.commit()


def _is_due(consent: Consent) -> bool:
    due_at = consent.mail_due_at
    return consent.answer == Answer.NONE and due_at is not None and due_at <= datetime.now(UTC)


def _waits_for(consent: Consent) -> tuple[ColumnElement[bool], ...]:
    return (
        Reminder.account_id == consent.account_id,
        Reminder.email == consent.email,
        Reminder.state == State.WAITING,
        Reminder.date > datetime.now(UTC),
    )
