"""The background task that renders stored posts again after an upgrade."""

from __future__ import annotations

import logging

from sqlalchemy import select

from app import database
from app.blog.models import Post
from app.blog.rendering import RENDERER, Rendered, TextRefused, render
from jobs import task

log = logging.getLogger(__name__)

AT_ONCE = 50


@task(name="blog.render_again", ignore_result=True)
async def render_again() -> None:
    """Give posts of earlier releases the HTML, first words and words to search for of this one. Safe to run twice."""
    async with database.session() as db:
        old = (await db.execute(select(Post.id, Post.text).where(Post.renderer != RENDERER).limit(AT_ONCE))).all()
    for pk, text in old:
        try:
            rendered = await render(text)
        except TextRefused:
            log.warning("post %s keeps its page: its text can no longer be rendered within the limits", pk)
            rendered = None
        await _store(pk, text, rendered)


async def _store(pk: int, text: str, rendered: Rendered | None) -> None:
    async with database.transaction() as db:
        post = await db.get(Post, pk, with_for_update=True)
        if post is None or post.text != text:
            return  # edited meanwhile
        if rendered is not None:
            post.text = rendered
        post.renderer = RENDERER
        post.title = post.title  # sets its words
