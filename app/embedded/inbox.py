"""The inbox page: the caught mails, for the browser that has the key (`app.embedded.key`).

It exists only without SMTP_SERVER.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from markupsafe import Markup, escape
from quart import Blueprint, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import public
from app.context import site
from app.security import frames
from jobs.monitor_site.web.messages import Message

MAILS_PER_PAGE = 50
NOT_HERE = Message("no-such-mail", "This email is not in the inbox: it was not sent yet, or it was deleted.")
NAME = re.compile(r"\d{20}-[0-9a-f]{8}")
LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")

blueprint = Blueprint("inbox", __name__, template_folder="templates", url_prefix="/inbox")


@dataclass(frozen=True)
class Mail:
    """The parts of a caught mail that pages show."""

    name: str
    arrived: datetime
    subject: str
    sender: str
    to: str
    text: str
    html: str


@blueprint.before_request
def not_through_a_proxy() -> None:
    """Answer 404 to requests through a proxy: their users do not sit at this machine."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")):
        abort(404)


@blueprint.get("/")
@public
async def index() -> ResponseReturnValue:
    """The newest mails first, 50 to a page."""
    names = await asyncio.to_thread(names_before, folder(), request.args.get("before", ""))
    mails = [await asyncio.to_thread(read_mail, folder(), name) for name in names[:MAILS_PER_PAGE]]
    older = names[MAILS_PER_PAGE - 1] if len(names) > MAILS_PER_PAGE else None
    return await render_template("inbox/index.html", mails=[mail for mail in mails if mail], older=older)


@blueprint.get("/<name>")
@public
async def show(name: str) -> ResponseReturnValue:
    """The mail of this name. A Message-ID leads to the mail that has it."""
    if "@" in name:
        found = await asyncio.to_thread(name_of, folder(), name)
        return redirect(url_for("inbox.show", name=found or abort(404, NOT_HERE)), 303)
    mail = await find(name)
    return await render_template("inbox/show.html", mail=mail, text=linked(mail.text), sandbox=frames.SANDBOX)


@blueprint.get("/<name>/html")
@public
async def html(name: str) -> ResponseReturnValue:
    """The mail's HTML alone, for the frame on its page. Harmless when opened outside of it."""
    mail = await find(name)
    return frames.mail(mail.html)


def folder() -> Path:
    return site().data_dir / "mail"


async def find(name: str) -> Mail:
    mail = await asyncio.to_thread(read_mail, folder(), name) if NAME.fullmatch(name) else None
    return mail or abort(404)


def names_before(folder: Path, before: str) -> list[str]:
    """The names of the mails older than *before* (all if it is empty), newest first."""
    names = sorted((path.stem for path in folder.glob("*.eml")), reverse=True)
    return [name for name in names if not before or name < before]


def name_of(folder: Path, message_id: str) -> str | None:
    """The name of the newest mail with this Message-ID."""
    line = f"\nMessage-ID: <{message_id}>".encode()
    for name in names_before(folder, ""):
        with contextlib.suppress(FileNotFoundError):  # the catcher has just deleted it
            if line in (folder / f"{name}.eml").read_bytes().partition(b"\r\n\r\n")[0]:
                return name
    return None


def read_mail(folder: Path, name: str) -> Mail | None:
    """The mail of this name, or None if it does not exist (any more)."""
    try:
        raw = (folder / f"{name}.eml").read_bytes()
    except FileNotFoundError:
        return None
    message = BytesParser(policy=policy.default).parsebytes(raw)
    return Mail(
        name=name,
        arrived=datetime.fromtimestamp(int(name[:20]) / 1e9, UTC),
        subject=header(message, "Subject"),
        sender=header(message, "From"),
        to=", ".join(str(to) for to in message.get_all("Delivered-To", [])),
        text=body(message, "plain"),
        html=body(message, "html"),
    )


def header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except Exception:  # the standard library has no common class for malformed headers
        return "(cannot be read)"


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def linked(text: str) -> Markup:
    """The text as HTML: web addresses become links, everything else is escaped."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        link = escape(match[0])
        parts += [escape(text[end : match.start()]), Markup(f'<a href="{link}" rel="noreferrer">{link}</a>')]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
