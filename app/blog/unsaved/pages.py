"""Where the editor sends what is typed, and where it is discarded."""

from __future__ import annotations

from quart import abort, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app import database
from app.accounts import current_account, owner_only
from app.blog.form import FIELDS, TAB
from app.blog.models import LONGEST_TEXT, LONGEST_TITLE, Post
from app.blog.pages import blueprint
from app.blog.unsaved import keeping
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.messages import Message, notify

A_MINUTE = 240
"""Requests of one account. A tab sends one a second while somebody types."""
MOST_ID = (1 << 31) - 1
LONGEST = LONGEST_TITLE + 2 * LONGEST_TEXT
"""Characters of all fields. More than a post may have: what is too long is kept too, to be shortened."""


@blueprint.post("/posts/unsaved")
@owner_only
async def keep() -> ResponseReturnValue:
    """Keep what the form holds. It publishes nothing, and changes no post. 410 if this has to be another tab.

    What a text was restored from ends here: the new tab has it now.
    """
    sent = await request.form
    tab, change, post_id = sent.get("tab", ""), sent.get("change", 0, type=int), sent.get("post", type=int)
    typed = {name: sent.get(name, "") for name in FIELDS}
    if not TAB.fullmatch(tab) or not 0 < change < keeping.LAST or (post_id or 0) > MOST_ID:
        abort(400)
    if sum(map(len, typed.values())) > LONGEST:
        abort(413)
    if await current_rate_limits().take_if_there(
        Limit("unsaved", str(current_account().id), times=A_MINUTE, period_s=60)
    ):
        abort(429)
    async with database.transaction() as db:
        post = await db.get(Post, post_id) if post_id and post_id > 0 else None
        kept = await keeping.keep(db, current_account(), tab, post.id if post else None, change, typed)
        if kept and (restored := sent.get("restored", "")) != tab and TAB.fullmatch(restored):
            await keeping.end(db, current_account(), restored)
    return "", 204 if kept else 410


@blueprint.post("/posts/unsaved/<tab>/discard")
@owner_only
async def discard(tab: str) -> ResponseReturnValue:
    if not TAB.fullmatch(tab):
        abort(404)
    async with database.transaction() as db:
        row = await keeping.open_text(db, current_account(), tab)
        post_id = row.post_id if row else None
        await keeping.end(db, current_account(), tab)
    await notify(Message("discarded", "Unsaved text discarded."))
    return redirect(url_for("blog.edit", pk=post_id) if post_id else url_for("blog.new"), 303)
