"""Find posts by their words, in any language. The readers find what is published, the owner drafts too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from markupsafe import Markup
from quart import abort, g, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import Select, select

from app import database, times
from app.accounts import public
from app.accounts.access import is_owner
from app.blog import passages
from app.blog.markdown import searching
from app.blog.models import Post, is_published
from app.blog.pages import NEWEST_FIRST, PER_PAGE, blueprint, page_number
from app.web.clients import client_networks
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.messages import Message

LONGEST, MOST_WORDS = 100, 8
A_MINUTE = 60
"""Searches of one client. Each reads the words of all posts."""
TOO_OFTEN = Message("too-often", "Too many searches. Try again in {}.")


@blueprint.get("/search")
@public
async def search() -> ResponseReturnValue:
    """The posts that hold every word of the question, or a longer word with it inside, newest first."""
    asked, page = request.args.get("q", "")[:LONGEST].strip(), page_number()
    query = containing(asked)
    posts: list[Post] = []
    if query is not None:
        await _take()
        if not is_owner(g.account):
            query = query.where(is_published())
        async with database.session() as db:
            posts = list(await db.scalars(query.limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)))
    more, posts = len(posts) > PER_PAGE, posts[:PER_PAGE]
    shown = await asyncio.to_thread(_shown, posts, asked)  # ten long posts take a moment
    return await render_template("blog/search.html", asked=asked, posts=posts, shown=shown, page=page, more=more)


def _shown(posts: Sequence[Post], asked: str) -> dict[int, tuple[Markup, Markup | None]]:
    """Title and passage of each post, with the words marked."""
    words = searching.words(asked)[:MOST_WORDS]
    return {post.id: (passages.marked(post.title, words), passages.passage(post.html, words)) for post in posts}


def containing(asked: str) -> Select[Post] | None:
    """The posts with all of these words. None if there is no word in it."""
    words = searching.words(asked)[:MOST_WORDS]
    if not words:
        return None
    # Words have letters, digits and marks only, so that no part of one is a wildcard.
    return select(Post).where(*(Post.words.like(f"%{word}%") for word in words)).order_by(*NEWEST_FIRST)


async def _take() -> None:
    client, *_ = client_networks()
    if wait_s := await current_rate_limits().take_if_there(Limit("search", client, times=A_MINUTE, period_s=60)):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
