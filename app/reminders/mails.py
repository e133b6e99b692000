"""The mails of reminders: the reminder itself, and the mail to its author that it was missed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

from sqlalchemy import select

from app import database
from app.accounts import Account
from app.context import site
from app.mail import write, writing
from app.mail.message import cleaned
from app.reminders.consents.links import stop_headers, stop_url
from app.reminders.consents.models import Consent
from app.reminders.models import LONGEST_TEXT, Reminder
from app.reminders.replies import acts
from app.reminders.replies.acts import Reply
from app.reminders.replies.links import reply_url

MOST_SHOWN = 20
"""Missed reminders in one mail. It counts the rest."""
LONGEST_LINE = 70
"""Characters of the text in a subject."""
DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks of direction would turn the whole subject."""
SHORTENED = 300
"""Characters of each, if the mail shows several."""


async def reminder(reminder: Reminder) -> EmailMessage:
    """The mail of this reminder. All tries of one revision have the same Message-ID.

    A reminder to another person names its author, and has a link to stop further ones.
    """
    words: dict[str, Any] = {"text": reminder.text, "date": reminder.date, "replies": await _replies(reminder)}
    headers: dict[str, str] = {}
    if found := await _set_by_another(reminder):
        consent, words["author"] = found
        words["stop_url"] = stop_url(consent, site())
        headers = stop_headers(consent, site())
    return await write(
        "reminders/mails/reminder",
        to=reminder.email,
        subject=subject("A reminder for you" if headers else "Your reminder", reminder.text),
        key=_key("reminder", reminder),
        headers=headers,
        **words,
    )


def subject(beginning: str, text: str) -> str:
    """`Your reminder: Water the plants`: the first line of the text, shortened, with nothing that a header refuses."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    line = cleaned(DIRECTIONS.sub(" ", line))
    if len(line) > LONGEST_LINE:
        line = line[:LONGEST_LINE].rsplit(" ", 1)[0].rstrip() + " …"
    return f"{beginning}: {line}" if line else beginning


async def missed(missed: Sequence[Reminder], author: Account) -> EmailMessage:
    """The mail to their author that the consents came too late. Shortens the texts of several, and shows MOST_SHOWN."""
    number = len(missed)
    alone = subject("Your reminder was not sent", missed[0].text)
    return await write(
        "reminders/mails/missed",
        to=author.email,
        subject=alone if number == 1 else f"{number} reminders were not sent",
        key=_key("missed", missed[0]),
        shown=missed[:MOST_SHOWN],
        more=max(number - MOST_SHOWN, 0),
        characters=LONGEST_TEXT if number == 1 else SHORTENED,
        url=f"{site().base_url}/reminders/",
    )


async def _replies(reminder: Reminder) -> list[tuple[str, str]]:
    """The name and the link of each reply."""
    async with database.session() as db:
        stops = await acts.running_series(db, reminder, await acts.author(db, reminder)) is not None
    names = {
        Reply.DONE: "Done",
        Reply.HOUR: "Again in 1 hour",
        Reply.TOMORROW: "Again tomorrow",
        Reply.WEEK: "Again next week",
    }
    names |= {Reply.STOP: "Stop repeating"} if stops else {}
    url = reply_url(reminder, site())
    return [(name, f"{url}?do={reply}") for reply, name in names.items()]


async def _set_by_another(reminder: Reminder) -> tuple[Consent, str] | None:
    """The consent to the reminder and the address of its author. None for a reminder to the author's own address."""
    query = (
        select(Consent, Account.email)
        .join(Account, Account.id == Consent.account_id)
        .where(Consent.account_id == reminder.account_id, Consent.email == reminder.email)
    )
    async with database.session() as db:
        row = (await db.execute(query)).one_or_none()
    return (row[0], row[1]) if row else None


def message_id(reminder: Reminder) -> str:
    """The Message-ID of its mail."""
    return writing.message_id(_key("reminder", reminder))


def _key(kind: str, reminder: Reminder) -> str:
    """Made of its id, revision and time of creation, so that a new database, with the same ids, repeats none."""
    return f"{kind}.{reminder.id}.{reminder.revision}.{int(reminder.created_at.timestamp())}"
