"""Which posts are read before and after another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import lazyload, load_only

from app.blog.models import Post, is_published

IN_A_LINK = load_only(Post.title, Post.slug), lazyload(Post.tags)


async def neighbours(db: AsyncSession, post: Post) -> tuple[Post | None, Post | None]:
    """The published posts before and after this one. None at the ends, and for a post that is not published."""
    if post.state != "published":
        return None, None
    same = Post.published_at == post.published_at
    earlier = or_(Post.published_at < post.published_at, and_(same, Post.id < post.id))
    later = or_(Post.published_at > post.published_at, and_(same, Post.id > post.id))
    return (
        await _first(db, earlier, Post.published_at.desc(), Post.id.desc()),
        await _first(db, later, Post.published_at, Post.id),
    )


async def _first(db: AsyncSession, which: ColumnElement[bool], *order: Any) -> Post | None:
    query = select(Post).options(*IN_A_LINK).where(is_published(), which).order_by(*order).limit(1)
    found: Post | None = await db.scalar(query)
    return found
