"""Mail the requests for consent: each once, at most one a day to an address, and only while a reminder waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import ColumnElement, exists, select, update

from app import database
from app.accounts import Account
from app.mail import DeliveryFailed, outbox
from app.mail.outbox import LostClaim, Outgoing
from app.reminders.consents import answers, mails
from app.reminders.consents.models import Answer, Consent
from app.reminders.models import Reminder, State

AGAIN_AFTER = timedelta(minutes=5)


async def due() -> list[Consent]:
    """The requests that are due now."""
    async with database.session() as db:
        query = select(Consent).where(Consent.mail_due_at <= datetime.now(UTC)).order_by(Consent.mail_due_at)
        return list(await db.scalars(query.limit(500)))


async def send(pk: int) -> None:
    """Mail this request if it is due. Safe to call twice, too early or too late, because the row decides."""
    async with database.session() as db:
        consent = await db.get(Consent, pk)
        asker = await db.get(Account, consent.account_id) if consent and consent.account_id else None
    if consent is None or asker is None or not _is_due(consent):
        return

    await outbox.deliver(_Mail(consent, asker))


class _Mail(Outgoing):
    """The mail of a request. If it was refused for good, or may have arrived, it counts as sent. Else it stays due.

    Changes nothing if another worker has mailed the request, or the row has changed.
    """

    def __init__(self, consent: Consent, asker: Account) -> None:
        self._consent = consent
        self._asker = asker
        self._claimed_at: datetime | None = None

    async def compose(self) -> EmailMessage:
        return await mails.request(self._consent, self._asker)

    async def claim(self) -> None:
        self._claimed_at = await _claim(self._consent.id, self._consent.email)
        if self._claimed_at is None:
            raise LostClaim  # the row says when the request is due

    async def not_now(self, failed: DeliveryFailed) -> None:
        due_at, asked_at = datetime.now(UTC) + AGAIN_AFTER, self._consent.asked_at
        await self._settle(reason=failed.reason[:500], mail_due_at=due_at, asked_at=asked_at)

    async def refused(self, failed: DeliveryFailed) -> None:
        await self._settle(reason=failed.reason[:500], mail_due_at=None)

    async def _settle(self, **values: Any) -> None:
        if self._claimed_at is None:
            as_left = Consent.mail_due_at == self._consent.mail_due_at
        else:
            as_left = Consent.mail_due_at.is_(None) & (Consent.asked_at == self._claimed_at)
        unanswered = Consent.id == self._consent.id, Consent.answer == Answer.NONE
        async with database.session() as db:
            await db.execute(update(Consent).where(*unanswered, as_left).values(**values))
            await db.commit()


async def _claim(pk: int, email: str) -> datetime | None:
    """Take the address's turn of the day. Returns the moment; None if it is not this request's turn.

    Committed before DATA, so that a request counts as sent even if its worker dies.
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
