"""The one message that reminders send."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import render_template

from app.context import site
from app.mail import compose, current_mailer
from app.reminders.models import Reminder


async def reminder(reminder: Reminder) -> EmailMessage:
    """The mail of this reminder. All tries of one revision have the same Message-ID."""
    words = {"text": reminder.text, "date": reminder.date}
    return compose(
        sender=current_mailer().sender,
        to=reminder.email,
        subject="Your reminder",
        text=await render_template("reminders/mails/reminder.txt", **words),
        html=await render_template("reminders/mails/reminder.html", **words),
        message_id=message_id(reminder),
    )


def message_id(reminder: Reminder) -> str:
    """Named after what it is, and when it was made, so that a database that begins anew repeats none."""
    domain = urlsplit(site().base_url).hostname or "localhost"
    return f"<reminder.{reminder.id}.{reminder.revision}.{int(reminder.created_at.timestamp())}@{domain}>"
