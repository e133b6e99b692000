"""The mail that requests consent. The account that asks controls only its address in it."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import render_template

from app.accounts import Account
from app.context import site
from app.mail import compose, current_mailer
from app.reminders.consents.links import answer_url
from app.reminders.consents.models import Consent


async def request(consent: Consent, asker: Account) -> EmailMessage:
    """The request of *asker*. All tries of one request have the same Message-ID."""
    words = {"asker": asker.email, "url": answer_url(consent, site())}
    day = int(consent.mail_due_at.timestamp()) // 86_400 if consent.mail_due_at else 0
    domain = urlsplit(site().base_url).hostname or "localhost"
    return compose(
        sender=current_mailer().sender,
        to=consent.email,
        subject="May this person send you reminders?",
        text=await render_template("consents/mails/request.txt", **words),
        html=await render_template("consents/mails/request.html", **words),
        message_id=f"<consent.{consent.id}.{int(consent.created_at.timestamp())}.{day}@{domain}>",
    )
