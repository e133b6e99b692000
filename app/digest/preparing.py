"""The owner's preparation of the next issue: its opening text, and previews as mail, on a phone and as text."""

from __future__ import annotations

import asyncio

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from app import database
from app.accounts import owner_only
from app.blog.markdown import printable
from app.digest import issues, mails, upcoming
from app.digest.models import Digest
from app.digest.pages import blueprint, index_page
from app.security import frames
from jobs.monitor_site.web.messages import Message, notify

LOOKS = ("mail", "phone", "text")

SAVED = Message("saved", "Opening text saved for the next issue.")
TOO_LONG = Message("too-long", "This text has {:,} characters. The limit is {:,}.")


@blueprint.post("/opening")
@owner_only
async def save_opening() -> ResponseReturnValue:
    """Save the opening text of the next issue. An empty text removes it."""
    typed = printable((await request.form).get("opening", "")).replace("\r\n", "\n").strip()
    if len(typed) > upcoming.LONGEST_OPENING:
        return await index_page(typed, TOO_LONG.format(len(typed), upcoming.LONGEST_OPENING)), 400
    async with database.transaction() as db:
        await upcoming.save_opening(db, typed)
    await notify(SAVED)
    return redirect(url_for("digest.index"), 303)


@blueprint.get("/<int(max=2147483647):pk>/preview")
@owner_only
async def preview(pk: int) -> ResponseReturnValue:
    """The mail as mail programs show it, wide or on a phone, or as text. 0 is the digest that would be created now."""
    shown = request.args.get("as", "")
    issue, written = await _written(pk)
    return await render_template(
        "digest/preview.html",
        pk=pk,
        number=issue.number,
        look=shown if shown in LOOKS else LOOKS[0],
        written=written,
        text=written.text.replace(written.link, issues.instead_of_a_link()),
        heights=await asyncio.to_thread(frames.heights, written.html, on_phone=shown == "phone"),
    )


@blueprint.get("/<int(max=2147483647):pk>/html")
@owner_only
async def html(pk: int) -> ResponseReturnValue:
    """The HTML of the mail alone, for the frame of a page. 0 is the digest that would be created now."""
    _, written = await _written(pk)
    return frames.mail(written.html.replace(written.link, issues.instead_of_a_link()))


async def _written(pk: int) -> tuple[issues.Issue, mails.Written]:
    async with database.session() as db:
        digest = await db.get(Digest, pk) or abort(404) if pk else None
        issue = await issues.of(db, digest)
    return issue, await mails.write(issue)
