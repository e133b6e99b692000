"""An issue of the digest as its readers see it: in their mail, and on its public page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from quart import url_for
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.blog import Post
from app.blog.markdown.excerpts import captions
from app.blog.markdown.shortening import beginning
from app.blog.models import is_published
from app.context import site
from app.digest import choosing, upcoming
from app.digest.models import Digest, DigestPost
from app.mail.message import cleaned
from jobs.monitor_site.web import moments

SUBJECT = "Weekly Digest"
LONGEST_IN_SUBJECT = 80  # characters of the first title
LONGEST_BEGINNING = 500
MOST_PICTURES, LONGEST_CAPTION = 3, 100
"""What each entry names of the pictures of its post: no mail of the site loads any."""
NEWEST_FIRST = Post.published_at.desc(), Post.id.desc()


@dataclass(frozen=True)
class Entry:
    """A post as an issue shows it, in plain text."""

    title: str
    beginning: str
    url: str
    pictures: Sequence[str] = ()
    """A label for each of its first pictures."""


@dataclass(frozen=True)
class Issue:
    """What an issue says."""

    number: int
    public: bool
    """Whether its sending has begun, so that it has a page and keeps its number."""
    date: str
    opening: str
    entries: Sequence[Entry]
    more: int
    """How many further posts it only counts."""
    sent_as: str = ""
    """The subject of one that has ended: its posts may have changed since."""

    @property
    def subject(self) -> str:
        return self.sent_as or subject(self.entries[0].title if self.entries else "")

    @property
    def paragraphs(self) -> list[list[str]]:
        """The opening text: paragraphs of lines."""
        return paragraphs(self.opening)

    @property
    def url(self) -> str:
        """Its public page; for one that has none the owner's page of the digests."""
        if not self.public:
            return instead_of_a_link()
        return site().base_url + url_for("issues.show", _external=False, number=self.number)


def instead_of_a_link() -> str:
    """Where a test or a preview leads instead of an issue's page or to unsubscribing: to a page that says so."""
    return f"{site().base_url}/digest/?test=1"


def subject(first_title: str) -> str:
    """The subject of an issue: safe in a header, whatever the title holds."""
    title = cleaned(first_title)
    return f"{SUBJECT}: {beginning(title, LONGEST_IN_SUBJECT)}" if title else SUBJECT


def paragraphs(text: str) -> list[list[str]]:
    """A plain text as paragraphs of lines. Blank lines part them."""
    lines = "\n".join(line.strip() for line in text.splitlines()).strip("\n")
    return [part.split("\n") for part in re.split("\n{2,}", lines)] if lines else []


def is_public() -> ColumnElement[bool]:
    """For WHERE: issues whose sending has begun."""
    return Digest.number.is_not(None)


async def of(db: AsyncSession, digest: Digest | None) -> Issue:
    """An issue with its posts in their present form, newest first, without unpublished ones.

    None is the issue that would be created now.
    """
    if digest is None:
        choice = await choosing.choose(db)
        query = select(Post).where(Post.id.in_(choice.shown)).order_by(*NEWEST_FIRST)
        posts, opening = (await db.scalars(query)).all(), await upcoming.opening(db)
        return _issue(await upcoming.number(db), False, datetime.now(UTC), opening, posts, len(choice.more))
    posts, number = await posts_of(db, digest), digest.number or await upcoming.number(db)
    issue = _issue(number, digest.number is not None, digest.created_at, digest.opening, posts, digest.more)
    return replace(issue, sent_as=digest.subject if digest.ended_at else "")


async def keep_subject(digest_pk: int, subject: str) -> None:
    """Record with which subject it is being sent."""
    async with database.transaction() as db:
        await db.execute(update(Digest).where(Digest.id == digest_pk).values(subject=subject))


async def posts_of(db: AsyncSession, digest: Digest) -> Sequence[Post]:
    """The posts that it shows."""
    its_own = DigestPost.digest_id == digest.id, DigestPost.shown
    query = select(Post).join(DigestPost, DigestPost.post_id == Post.id).where(*its_own, is_published())
    return (await db.scalars(query.order_by(*NEWEST_FIRST))).all()


async def withdrawn(db: AsyncSession, digest: Digest) -> int:
    """How many of its posts are not published any more. Deleted ones do not count."""
    its_own = DigestPost.digest_id == digest.id, DigestPost.shown
    query = select(func.count()).select_from(DigestPost).join(Post, DigestPost.post_id == Post.id)
    return await db.scalar(query.where(*its_own, ~is_published())) or 0


def _issue(number: int, public: bool, at: datetime, opening: str, posts: Sequence[Post], more: int) -> Issue:
    day = moments.day(at, ZoneInfo(site().timezone))
    return Issue(number, public, day, opening, [_entry(post) for post in posts], more)


def _entry(post: Post) -> Entry:
    address = site().base_url + url_for("blog.show", _external=False, **post.address)
    labels = [_label(caption) for caption in captions(post.html)[:MOST_PICTURES]]
    return Entry(post.title, beginning(post.beginning, LONGEST_BEGINNING), address, labels)


def _label(caption: str) -> str:
    return f"Picture: {beginning(caption, LONGEST_CAPTION)}" if caption else "Picture"
