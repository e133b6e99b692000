"""The inbox page: the caught mails, for the browser that has the key (`app.embedded.key`).

It exists only without SMTP_SERVER.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from markupsafe import Markup, escape
from quart import Blueprint, Response, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import public
from app.context import site
from app.embedded import caught
from app.embedded.caught import Mail
from app.security import frames
from jobs.monitor_site.web.messages import Message, notify

MAILS_PER_PAGE = 50
NOT_HERE = Message("no-such-mail", "This email is not in the inbox: it was not sent yet, or it was deleted.")
DELETED = Message("mail-deleted", "Email deleted.")
ALL_DELETED = Message("mails-deleted", "{} deleted.")
LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")

blueprint = Blueprint("inbox", __name__, template_folder="templates", url_prefix="/inbox")


@blueprint.before_request
def not_through_a_proxy() -> None:
    """Answer 404 to requests through a proxy: their users do not sit at this machine."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")):
        abort(404)


@blueprint.get("/")
@public
async def index() -> ResponseReturnValue:
    """The newest mails first, 50 to a page."""
    names = await asyncio.to_thread(caught.names_before, folder(), request.args.get("before", ""))
    mails = [await asyncio.to_thread(caught.read_mail, folder(), name) for name in names[:MAILS_PER_PAGE]]
    older = names[MAILS_PER_PAGE - 1] if len(names) > MAILS_PER_PAGE else None
    return await render_template("inbox/index.html", mails=[mail for mail in mails if mail], older=older)


@blueprint.get("/<name>")
@public
async def show(name: str) -> ResponseReturnValue:
    """The mail of this name. A Message-ID leads to the mail that has it."""
    if "@" in name:
        found = await asyncio.to_thread(caught.name_of, folder(), name)
        return redirect(url_for("inbox.show", name=found or abort(404, NOT_HERE)), 303)
    mail = await find(name)
    on_phone = request.args.get("width") == "phone"
    return await render_template(
        "inbox/show.html",
        mail=mail,
        text=linked(mail.text),
        on_phone=on_phone,
        heights=await asyncio.to_thread(frames.heights, mail.html, on_phone=on_phone),
    )


@blueprint.get("/<name>/html")
@public
async def html(name: str) -> ResponseReturnValue:
    """The mail's HTML alone, for the frame on its page. Harmless when opened outside of it."""
    mail = await find(name)
    return frames.mail(mail.html)


@blueprint.get("/<name>/source")
@public
async def source(name: str) -> ResponseReturnValue:
    """The whole mail as it was sent, as a file for mail programs."""
    mail = await find(name)
    headers = {"Content-Disposition": f'attachment; filename="{mail.name}.eml"'}
    return Response(mail.raw, mimetype="message/rfc822", headers=headers)


@blueprint.get("/<name>/delete")
@public
async def ask_to_delete(name: str) -> ResponseReturnValue:
    return await render_template("inbox/delete.html", mail=await find(name))


@blueprint.post("/<name>/delete")
@public
async def delete(name: str) -> ResponseReturnValue:
    mail = await find(name)
    await asyncio.to_thread(caught.delete, folder(), [mail.name])
    await notify(DELETED)
    return redirect(url_for("inbox.index"), 303)


@blueprint.get("/delete")
@public
async def ask_to_delete_all() -> ResponseReturnValue:
    names = await asyncio.to_thread(caught.names_before, folder(), "")
    return await render_template("inbox/delete.html", mail=None, count=len(names), newest=names[0] if names else "")


@blueprint.post("/delete")
@public
async def delete_all() -> ResponseReturnValue:
    """Delete the mails that the page has counted. Those that arrived since stay."""
    newest = (await request.form).get("newest", "")
    names = [name for name in await asyncio.to_thread(caught.names_before, folder(), "") if name <= newest]
    await asyncio.to_thread(caught.delete, folder(), names)
    await notify(ALL_DELETED.format(f"{len(names):,} email{'s' if len(names) != 1 else ''}"))
    return redirect(url_for("inbox.index"), 303)


def folder() -> Path:
    return site().data_dir / "mail"


async def find(name: str) -> Mail:
    return await asyncio.to_thread(caught.read_mail, folder(), name) or abort(404, NOT_HERE)


def linked(text: str) -> Markup:
    """The text as HTML: web addresses become links, everything else is escaped."""
    parts, end = [], 0
    for match in LINK.finditer(text):
        link = escape(match[0])
        parts += [escape(text[end : match.start()]), Markup(f'<a href="{link}" rel="noreferrer">{link}</a>')]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
