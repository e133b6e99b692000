"""Tags of posts, in any script: typed in one line, each with a page."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from quart import abort, redirect, render_template, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import public
from app.blog.markdown import printable
from app.blog.markdown.shortening import LONGEST_SLUG
from app.blog.models import LONGEST_TAG, Post, PostTag, is_published
from app.blog.pages import NEWEST_FIRST, PER_PAGE, blueprint, page_number
from jobs.monitor_site.web.messages import Refused

MOST = 10
BETWEEN = re.compile(r"[,;\n،؛、，；]")
"""Commas and semicolons of several scripts."""


class TagRefused(Refused):
    """The tags cannot be stored. The message says why."""


@dataclass(frozen=True)
class Tag:
    """A tag as it was typed, and as it is in the address of its page."""

    name: str
    slug: str


def read_tags(typed: str) -> list[Tag]:
    """The tags in this line, each once."""
    names = [" ".join(part.split()).lstrip("#").strip() for part in BETWEEN.split(printable(typed))]
    tags: dict[str, str] = {}
    for name in filter(None, names):
        tags.setdefault(slug(name), name)
    if long := next((name for name in names if len(name) > LONGEST_TAG or len(slug(name)) > LONGEST_SLUG), ""):
        raise TagRefused("tag-too-long", f"A tag has at most {LONGEST_TAG} characters: shorten “{long[:20]}…”.")
    if any(not any(unicodedata.category(sign)[0] in "LNPS" for sign in name) for name in tags.values()):
        raise TagRefused("no-letters", "A tag needs something to read: a letter, digit or sign.")
    if len(tags) > MOST:
        raise TagRefused("too-many-tags", f"A post has at most {MOST} tags. These are {len(tags)}.")
    return [Tag(name, slug) for slug, name in tags.items()]


def slug(name: str) -> str:
    """The tag in its address: another one for each tag, the same for all spellings in capitals and small letters."""
    escaped = folded(name).replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
    return escaped if escaped.strip(".") else escaped.replace(".", "%2e")  # a browser goes up at `..`


def folded(name: str) -> str:
    for _ in range(2):  # a few letters take two rounds
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(name.split())


async def put_on(db: AsyncSession, post: Post, tags: list[Tag]) -> None:
    """Give the post these tags, in this order. All posts with one of them show its name as it was spelled last."""
    for tag in sorted(tags, key=lambda tag: tag.slug):  # so that no two wait for each other
        await db.execute(update(PostTag).where(PostTag.slug == tag.slug).values(name=tag.name))
    known = {tag.slug: tag for tag in post.tags}
    for place, tag in enumerate(tags):
        row = known.pop(tag.slug, None)
        if row is None:
            post.tags.append(PostTag(slug=tag.slug, name=tag.name, place=place))
        else:
            row.name, row.place = tag.name, place
    for gone in known.values():
        post.tags.remove(gone)


@blueprint.get("/tags/<slug>")
@public
async def tagged(slug: str) -> ResponseReturnValue:
    """The published posts with this tag, newest first."""
    if (canonical := folded(slug)) != slug:
        return redirect(url_for("blog.tagged", slug=canonical), 302) if canonical else abort(404)
    page = page_number()
    query = select(Post, PostTag.name).join(PostTag).where(PostTag.slug == slug, is_published())
    query = query.order_by(*NEWEST_FIRST).limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)
    async with database.session() as db:
        found = (await db.execute(query)).all()
    if not found:
        abort(404)
    posts, more = [post for post, _ in found[:PER_PAGE]], len(found) > PER_PAGE
    return await render_template("blog/tagged.html", slug=slug, name=found[0].name, posts=posts, page=page, more=more)
