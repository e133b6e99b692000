"""Mail the requests: each once, one a day to an address, and none that no reminder waits for."""

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

    await outbox.deliver(_Mail(consent, asker))


class _Mail(Outgoing):
    """A request. What was refused for good, or may have gone out, counts as asked; the rest is tried again.

    Nothing of it counts if the request was mailed from elsewhere meanwhile, or changed.
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
            raise LostClaim  # the row says when to look again

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
