"""The background task that renders stored posts again after an upgrade."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.blog.models import Post, source
from app.blog.rendering import RENDERER, Rendered, TextRefused, render
from jobs import task

log = logging.getLogger(__name__)

AT_ONCE = 50
DEPLOY = timedelta(days=1)
"""For how long web processes of two releases may run side by side."""


@task(name="blog.render_again", ignore_result=True)
async def render_again() -> None:
    """Give posts of earlier releases the HTML, first words and words to search for of this one. Safe to run twice."""
    async with database.session() as db:
        stale = [*await _of_another_renderer(db), *await _edited_by_another_release(db)]
    for pk, text in stale:
        try:
            rendered = await render(text)
        except TextRefused:
            log.warning("post %s keeps its page: its text can no longer be rendered within the limits", pk)
            rendered = None
        await _store(pk, text, rendered)


async def _of_another_renderer(db: AsyncSession) -> list[tuple[int, str]]:
    query = select(Post.id, Post.text).where(Post.renderer != RENDERER)
    return [(pk, text) for pk, text in await db.execute(query.limit(AT_ONCE))]


async def _edited_by_another_release(db: AsyncSession) -> list[tuple[int, str]]:
    """During a deploy an old web process changes title and text, and leaves the words and the renderer as they were."""
    query = select(Post.id, Post.title, Post.text, Post.derived_from)
    recent = query.where(Post.renderer == RENDERER, Post.edited_at > datetime.now(UTC) - DEPLOY)
    edited = [(pk, text) for pk, title, text, known in await db.execute(recent) if source(title, text) != known]
    return edited[:AT_ONCE]


async def _store(pk: int, text: str, rendered: Rendered | None) -> None:
    async with database.transaction() as db:
        post = await db.get(Post, pk, with_for_update=True)
        if post is None or post.text != text:
            return  # edited meanwhile
        if rendered is not None:
            post.text = rendered
        post.renderer = RENDERER
        post.title = post.title  # sets its words, and from what they are derived
