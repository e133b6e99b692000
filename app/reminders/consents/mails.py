"""The mail that requests consent. The account that asks controls only its address in it."""

from __future__ import annotations

from email.message import EmailMessage

from app.accounts import Account
from app.context import site
from app.mail import write
from app.reminders.consents.links import answer_url
from app.reminders.consents.models import Consent

LONGEST_IN_SUBJECT = 200  # characters of an address


async def request(consent: Consent, asker: Account) -> EmailMessage:
    """The request of *asker*. All tries of one request have the same Message-ID."""
    day = int(consent.mail_due_at.timestamp()) // 86_400 if consent.mail_due_at else 0
    return await write(
        "consents/mails/request",
        to=consent.email,
        subject=f"{asker.email[:LONGEST_IN_SUBJECT]} wants to send you reminders",
        key=f"consent.{consent.id}.{int(consent.created_at.timestamp())}.{day}",
        asker=asker.email,
        url=answer_url(consent, site()),
    )
