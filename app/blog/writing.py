"""The owner's pages besides the editor: drafts, publish, unpublish, delete."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import redirect, render_template, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import current_account, owner_only
from app.blog import samples
from app.blog.editor import existing, saved
from app.blog.models import Post, is_published
from app.blog.pages import blueprint
from app.blog.unsaved import keeping
from jobs.monitor_site.web.messages import Message, notify


@blueprint.get("/posts/drafts")
@owner_only
async def drafts() -> ResponseReturnValue:
    """The unpublished posts: drafts and scheduled ones."""
    query = select(Post).where(~is_published() | Post.published_at.is_(None)).order_by(Post.edited_at.desc())
    async with database.session() as db:
        posts = list(await db.scalars(query.limit(500)))
        unsaved = await keeping.texts(db, current_account())
    return await render_template("blog/drafts.html", posts=posts, unsaved=unsaved)


@blueprint.post("/posts/<int(max=2147483647):pk>/publish")
@owner_only
async def publish(pk: int) -> ResponseReturnValue:
    async with database.transaction() as db:
        post = await existing(db, pk, lock=True)
        if post.state != "published":
            post.published_at = datetime.now(UTC)
    return await saved(post)


@blueprint.post("/posts/<int(max=2147483647):pk>/withdraw")
@owner_only
async def withdraw(pk: int) -> ResponseReturnValue:
    """Turn the post into a draft again: everybody but the owner gets a 404."""
    async with database.transaction() as db:
        post = await existing(db, pk, lock=True)
        post.published_at = None
    return await saved(post)


@blueprint.get("/posts/<int(max=2147483647):pk>/delete")
@owner_only
async def ask_to_delete(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        post = await existing(db, pk)
    if post.state == "published":
        return await _not_deleted(post)
    return await render_template("blog/delete.html", post=post)


@blueprint.post("/posts/<int(max=2147483647):pk>/delete")
@owner_only
async def delete(pk: int) -> ResponseReturnValue:
    """Delete a post that nobody has read: a draft, or a planned one. A published post must be unpublished first."""
    async with database.transaction() as db:
        post = await existing(db, pk, lock=True)
        if post.state == "published":
            return await _not_deleted(post)
        await db.delete(post)
    await notify(Message("deleted", "Post deleted."))
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


async def _not_deleted(post: Post) -> ResponseReturnValue:
    await notify(Message("published", "This post is published. Unpublish it first, then delete it."), "warning")
    return redirect(url_for("blog.show", **post.address), 303)
