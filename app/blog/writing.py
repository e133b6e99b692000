"""The owner's pages: write, publish, unpublish, delete. On the same blueprint as the public pages."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import abort, redirect, render_template, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import owner_only
from app.blog import samples
from app.blog.form import Form
from app.blog.models import Post, is_published
from app.blog.pages import blueprint
from app.web.template_words import reader_zone
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message, notify


@blueprint.get("/posts/drafts")
@owner_only
async def drafts() -> ResponseReturnValue:
    """The unpublished posts: drafts and scheduled ones."""
    query = select(Post).where(~is_published() | Post.published_at.is_(None)).order_by(Post.edited_at.desc())
    async with database.session() as db:
        posts = list(await db.scalars(query.limit(500)))
    return await render_template("blog/drafts.html", posts=posts)


@blueprint.get("/posts/new")
@owner_only
async def new() -> ResponseReturnValue:
    return await _form_page(Form())


@blueprint.post("/posts/new")
@owner_only
async def create() -> ResponseReturnValue:
    form = await Form.read(reader_zone())
    if not form.good:
        return await _form_page(form), 400
    async with database.transaction() as db:
        post = Post(title=form.title, text=form.text, published_at=form.publish_at)
        db.add(post)
    return await _saved(post, form.note)


@blueprint.get("/posts/<int(max=2147483647):pk>/edit")
@owner_only
async def edit(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        post = await _post(db, pk)
    return await _form_page(Form.of(post, reader_zone()), post)


@blueprint.post("/posts/<int(max=2147483647):pk>/edit")
@owner_only
async def save(pk: int) -> ResponseReturnValue:
    """Save a post. A published post keeps its publishing time. A draft stays a draft unless a button publishes it."""
    form = await Form.read(reader_zone())
    async with database.transaction() as db:
        post = await _post(db, pk, lock=True)
        if not form.good:
            return await _form_page(form, post), 400
        post.title, post.text, post.edited_at = form.title, form.text, datetime.now(UTC)
        if form.publish_at and post.state != "published":
            post.published_at = form.publish_at
    return await _saved(post, form.note)


@blueprint.post("/posts/<int(max=2147483647):pk>/publish")
@owner_only
async def publish(pk: int) -> ResponseReturnValue:
    async with database.transaction() as db:
        post = await _post(db, pk, lock=True)
        if post.state != "published":
            post.published_at = datetime.now(UTC)
    return await _saved(post)


@blueprint.post("/posts/<int(max=2147483647):pk>/withdraw")
@owner_only
async def withdraw(pk: int) -> ResponseReturnValue:
    """Turn the post into a draft again: everybody but the owner gets a 404."""
    async with database.transaction() as db:
        post = await _post(db, pk, lock=True)
        post.published_at = None
    return await _saved(post)


@blueprint.post("/posts/<int(max=2147483647):pk>/delete")
@owner_only
async def delete(pk: int) -> ResponseReturnValue:
    """Delete a draft for good. A published post must be unpublished first."""
    async with database.transaction() as db:
        post = await _post(db, pk, lock=True)
        if post.published_at is not None:
            await notify(Message("published", "Only drafts can be deleted. Unpublish the post first."), "warning")
            return redirect(url_for("blog.show", **post.address), 303)
        await db.delete(post)
    await notify(Message("deleted", "Draft deleted."))
    return redirect(url_for("blog.drafts"), 303)


@blueprint.post("/posts/samples")
@owner_only
async def add_samples() -> ResponseReturnValue:
    """Add sample posts if there are no posts yet."""
    async with database.transaction() as db:
        if await db.scalar(select(Post.id).limit(1)) is not None:
            await notify(Message("not-empty", "There are posts already, so no sample posts were added."), "warning")
        else:
            db.add_all(samples.posts(datetime.now(UTC)))
            await notify(Message("samples", "Sample posts published. Edit them, or unpublish and delete them."))
    return redirect(url_for("blog.index"), 303)


async def _post(db: AsyncSession, pk: int, *, lock: bool = False) -> Post:
    return await db.get(Post, pk, with_for_update=lock) or abort(404)


async def _saved(post: Post, note: Message | None = None) -> ResponseReturnValue:
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


async def _form_page(form: Form, post: Post | None = None) -> str:
    return await render_template("blog/form.html", form=form, post=post, zone=reader_zone().key)
