"""The editor: write a post, save it, look at it before. On the same blueprint as the public pages."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import current_account, hold, owner_only
from app.blog.form import TAB, Form
from app.blog.models import Post
from app.blog.pages import WITH_PICTURES, blueprint
from app.blog.pictures.pages import MOST_BYTES
from app.blog.tags import put_on
from app.blog.unsaved import keeping
from app.web.rate_limits import Limit, current_rate_limits
from app.web.template_words import reader_zone
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message, notify

PREVIEWS_A_MINUTE = 120


@blueprint.get("/posts/new")
@owner_only
async def new() -> ResponseReturnValue:
    return await _form_page(await _restored() or Form())


@blueprint.post("/posts/new")
@owner_only
async def create() -> ResponseReturnValue:
    form, account = await Form.read(reader_zone()), current_account()
    form.check_planned()
    async with database.transaction() as db:
        if not form.is_to_be_saved:
            await _keep(db, form, form.typed, None)
        else:
            await keeping.end(db, account, form.tab, form.restored)
            post = Post(title=form.title, text=form.text, published_at=form.publish_at)
            await put_on(db, post, form.chosen)
            db.add(post)
    return await saved(post, form.note) if form.is_to_be_saved else await _form_page(form)


@blueprint.get("/posts/<int(max=2147483647):pk>/edit")
@owner_only
async def edit(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        post = await existing(db, pk)
    return await _form_page(await _restored() or Form.of(post, reader_zone()), post)


@blueprint.post("/posts/<int(max=2147483647):pk>/edit")
@owner_only
async def save(pk: int) -> ResponseReturnValue:
    """Save a post. A published post keeps its publishing time. A draft stays a draft unless a button publishes it."""
    form, account = await Form.read(reader_zone()), current_account()
    async with database.transaction() as db:
        await hold(db, account)
        post = await existing(db, pk, lock=True)
        typed = form.typed
        form.check_seen(post)
        if post.state != "published":
            form.check_planned(Form.of(post, reader_zone()).when)
        if not form.is_to_be_saved:
            await _keep(db, form, typed, post)
        else:
            await keeping.end(db, account, form.tab, form.restored)
            post.title, post.text, post.edited_at = form.title, form.text, datetime.now(UTC)
            await put_on(db, post, form.chosen)
            if form.publish_at and post.state != "published":
                post.published_at = form.publish_at
    return await saved(post, form.note) if form.is_to_be_saved else await _form_page(form, post)


@blueprint.post("/posts/preview")
@owner_only
async def preview() -> ResponseReturnValue:
    """The text of the form as its page will show it: a part of a page, for app/static/editor.js."""
    if await current_rate_limits().take_if_there(
        Limit("preview", str(current_account().id), times=PREVIEWS_A_MINUTE, period_s=60)
    ):
        abort(429)
    return await render_template("blog/preview.html", form=await Form.read(reader_zone()))


async def existing(db: AsyncSession, pk: int, *, lock: bool = False) -> Post:
    return await db.get(Post, pk, with_for_update=lock) or abort(404)


async def saved(post: Post, note: Message | None = None) -> ResponseReturnValue:
    """Show who can read the post, and from when."""
    if post.published_at is None:
        await notify(Message("draft", "Saved as draft. Only you can see it."))
    elif post.state == "waiting":
        at = moments.spelled(post.published_at, reader_zone())
        await notify(Message("waiting", f"Saved. The post will be published {at}."))
    else:
        await notify(Message("published", "Saved. The post is published."))
    if note:
        await notify(note, "warning")
    return redirect(url_for("blog.show", **post.address), 303)


async def _keep(db: AsyncSession, form: Form, typed: dict[str, str], post: Post | None) -> None:
    """Keep a form that is not saved, only looked at or wrong: the tab may be closed now."""
    if form.tab:
        await keeping.keep(db, current_account(), form.tab, post.id if post else None, form.change, typed)
        await keeping.end(db, current_account(), form.restored)


async def _restored() -> Form | None:
    """The form with the unsaved text that is asked for."""
    if not TAB.fullmatch(tab := request.args.get("unsaved", "")):
        return None
    async with database.session() as db:
        row = await keeping.open_text(db, current_account(), tab)
    return Form.restore(row) if row else None


async def _form_page(form: Form, post: Post | None = None) -> ResponseReturnValue:
    """The editor. A form that was sent, and not saved, goes on in it."""
    restored = form.tab or form.restored
    async with database.session() as db:
        texts = await keeping.texts(db, current_account())
    mine = [text for text in texts if text.post_id == (post and post.id) and text.tab != restored]
    tab = secrets.token_urlsafe(12)
    page = await render_template(
        "blog/form.html",
        form=form,
        post=post,
        zone=reader_zone().key,
        tab=tab,
        restored=restored,
        unsaved=mine,
        most_bytes=MOST_BYTES,
    )
    return page, 200 if form.good else 400, {"Content-Security-Policy": WITH_PICTURES}
