"""The public pages of the issues: each one, the past ones, and their entries in the feed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from quart import Blueprint, abort, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import public
from app.blog import Post
from app.blog.feed import FeedEntry, feed_sources
from app.blog.models import is_published
from app.digest import issues
from app.digest.models import Digest, DigestPost

PER_PAGE = 50
IN_FEED = 5

blueprint = Blueprint("issues", __name__, template_folder="templates", url_prefix="/issues")


@blueprint.get("/")
@public
async def index() -> ResponseReturnValue:
    """The past issues, newest first."""
    page = min(max(request.args.get("page", 1, type=int), 1), 1_000_000)
    async with database.session() as db:
        found = await _newest(db, PER_PAGE + 1, (page - 1) * PER_PAGE)
        titles = await _titles(db, found[:PER_PAGE])
    return await render_template(
        "issues/index.html", issues=found[:PER_PAGE], titles=titles, page=page, more=len(found) > PER_PAGE
    )


@blueprint.get("/<int(max=2147483647):number>")
@public
async def show(number: int) -> ResponseReturnValue:
    """What was mailed, its posts as they are now. Posts that are not published any more are only counted."""
    async with database.session() as db:
        digest = await db.scalar(select(Digest).where(Digest.number == number)) or abort(404)
        issue = await issues.of(db, digest)
        withdrawn = await issues.withdrawn(db, digest)
        last = await db.scalar(select(func.max(Digest.number)))
    return await render_template(
        "issues/show.html", issue=issue, digest=digest, withdrawn=withdrawn, newer=number < (last or 0)
    )


async def in_feed(db: AsyncSession) -> Sequence[FeedEntry]:
    """The newest issues for the feed."""
    found = await _newest(db, IN_FEED)
    titles = await _titles(db, found)
    return [
        FeedEntry(
            title=f"Issue {digest.number} · {issues.subject(next(iter(titles[digest.id]), ''))}",
            path=url_for("issues.show", _external=False, number=digest.number),
            published_at=digest.created_at,
            summary=" · ".join(titles[digest.id]),
        )
        for digest in found
    ]


@blueprint.record_once
def offer(state: Any) -> None:
    """Put the issues into the feed of the blog."""
    feed_sources(state.app).append(in_feed)


async def _newest(db: AsyncSession, limit: int, offset: int = 0) -> Sequence[Digest]:
    query = select(Digest).where(issues.is_public()).order_by(Digest.number.desc())
    return (await db.scalars(query.limit(limit).offset(offset))).all()


async def _titles(db: AsyncSession, digests: Sequence[Digest]) -> dict[int, list[str]]:
    """The titles that each of them shows."""
    shown = DigestPost.digest_id.in_([digest.id for digest in digests]), DigestPost.shown, is_published()
    query = select(DigestPost.digest_id, Post.title).join(Post, DigestPost.post_id == Post.id).where(*shown)
    found = defaultdict[int, list[str]](list)
    for pk, title in await db.execute(query.order_by(*issues.NEWEST_FIRST)):
        found[pk].append(title)
    return found
