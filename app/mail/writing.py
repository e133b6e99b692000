"""Write a mail of the site from its two templates, which extend `mails/base.html` and `mails/base.txt`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import render_template

from app.context import site
from app.mail.address import literal
from app.mail.mailer import current_mailer
from app.mail.message import compose

TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    """Both parts of a mail."""

    text: str
    html: str


async def write(
    template: str, *, to: str, subject: str, key: str, headers: Mapping[str, str] | None = None, **words: object
) -> EmailMessage:
    """A mail from the site to one (parsed) address. *key* names it: all tries of a mail have the same Message-ID."""
    parts = await render(template, subject=subject, **words)
    return compose(
        sender=current_mailer().sender,
        to=to,
        subject=subject,
        text=parts.text,
        html=parts.html,
        message_id=message_id(key),
        headers=dict(headers or {}),
    )


async def render(template: str, *, subject: str, **words: object) -> Parts:
    """The parts that `TEMPLATE.txt` and `TEMPLATE.html` make of *words*. No line of the text ends in blanks."""
    text = await render_template(f"{template}.txt", subject=subject, **words)
    html = await render_template(f"{template}.html", subject=subject, **words)
    return Parts(TRAILING.sub("", text).strip("\n") + "\n", html)


def message_id(key: str) -> str:
    """The Message-ID of the mail that *key* names."""
    return f"<{key}@{mail_domain()}>"


def mail_domain() -> str:
    """The domain of Message-IDs."""
    host = urlsplit(site().base_url).hostname or "localhost"
    return literal(host) if ":" in host else host
