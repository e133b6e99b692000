"""The public pages: the front page, each post, the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from quart import Blueprint, Response, abort, current_app, g, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import public
from app.accounts.access import is_owner
from app.blog import markdown
from app.blog.feed import feed_sources
from app.blog.markdown.shortening import beginning
from app.blog.models import Post, is_published
from app.blog.reading import neighbours
from app.blog.unsaved import keeping
from app.context import site
from jobs.monitor_site.web.headers import CONTENT_SECURITY_POLICY

PER_PAGE = 10
IN_FEED = 20
MOST_IN_FEED = 1_000_000
"""Characters of HTML. Older posts beyond it are in the feed with only their first words."""
WITH_PICTURES = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' https:")
NEWEST_FIRST = (Post.published_at.desc(), Post.id.desc())
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

blueprint = Blueprint("blog", __name__, template_folder="templates")
blueprint.add_app_template_filter(beginning, "beginning")


@blueprint.get("/")
@public
async def index() -> ResponseReturnValue:
    """The published posts, newest first."""
    page = page_number()
    query = select(Post).where(is_published()).order_by(*NEWEST_FIRST)
    async with database.session() as db:
        posts = list(await db.scalars(query.limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)))
        untouched = not posts and page == 1 and await db.scalar(select(Post.id).limit(1)) is None
        unsaved = len(await keeping.texts(db, g.account)) if is_owner(g.account) else 0
    if not posts and page > 1:
        abort(404)
    words = {"posts": posts[:PER_PAGE], "page": page, "more": len(posts) > PER_PAGE, "untouched": untouched}
    return await render_template("blog/index.html", unsaved=unsaved, **words)


@blueprint.get("/posts/<int(max=2147483647):pk>")
@blueprint.get("/posts/<int(max=2147483647):pk>-<slug>")
@public
async def show(pk: int, slug: str = "") -> ResponseReturnValue:
    """One post, found by its id. Redirects from a wrong or old slug. Only the owner sees drafts."""
    async with database.session() as db:
        post = await db.get(Post, pk)
        older, newer = await neighbours(db, post) if post else (None, None)
    if post is None or (post.state != "published" and not is_owner(g.account)):
        abort(404)
    if slug != post.slug:
        # Not a permanent redirect: browsers would cache it, and loop once the title is changed back.
        return redirect(url_for("blog.show", **post.address), 302)
    address = site().base_url + url_for("blog.show", **post.address)
    page = await render_template("blog/show.html", post=post, address=address, older=older, newer=newer)
    return page, {"Content-Security-Policy": WITH_PICTURES}


@blueprint.get("/feed.atom")
@public
async def feed() -> ResponseReturnValue:
    """The newest posts for feed readers, whole up to a megabyte. Answers 304 to a reader that has them already."""
    query = select(Post).where(is_published()).order_by(*NEWEST_FIRST)
    async with database.session() as db:
        posts = list(await db.scalars(query.limit(IN_FEED)))
        others = [entry for source in feed_sources(current_app) for entry in await source(db)]
    changed = max([*(post.changed_at for post in posts), *(entry.published_at for entry in others)], default=NEVER)
    bodies = await asyncio.to_thread(_for_elsewhere, posts)  # twenty long posts take a second
    text = await render_template("blog/feed.xml", posts=posts, others=others, changed=changed, bodies=bodies)
    response = Response(markdown.printable(text), mimetype="application/atom+xml")  # for rows of every release
    await response.add_etag()
    return await response.make_conditional(request)


def page_number() -> int:
    """Which page of a list is asked for."""
    return min(max(request.args.get("page", 1, type=int), 1), 1_000_000)


def _for_elsewhere(posts: Sequence[Post]) -> dict[int, str]:
    """The HTML of the newest posts by id, with absolute links. Stops at MOST_IN_FEED characters."""
    room, bodies = MOST_IN_FEED, dict[int, str]()
    for post in posts:
        room -= len(post.html)
        if room < 0:
            break
        base = site().base_url + url_for("blog.show", **post.address)
        bodies[post.id] = markdown.clean(post.html, base=base)
    return bodies
