"""The mail of a digest: written once, personal to each subscriber by the links at its end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from quart import url_for
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.links import owner_address
from app.blog import Post
from app.blog.models import is_published
from app.blog.words import beginning
from app.context import site
from app.digest.models import Digest, DigestPost
from app.mail import FormLetter, Parcel, compose, current_mailer, writing
from app.subscribers import links
from app.subscribers.models import Subscriber

SUBJECT = "Weekly Digest"
LONGEST_BEGINNING = 500  # characters


@dataclass(frozen=True)
class Entry:
    """A post as a digest shows it, in plain text."""

    title: str
    beginning: str
    url: str


@dataclass(frozen=True)
class Written:
    """A digest as text and HTML. `link` in them is a placeholder for each subscriber's link."""

    text: str
    html: str
    link: str

    def as_test(self) -> EmailMessage:
        """A test mail to the owner. Its link leads to the page of the digests."""
        page = f"{site().base_url}/digest/"
        return compose(
            sender=current_mailer().sender,
            to=owner_address(site()),
            subject=f"Test: {SUBJECT}",
            text=self.text.replace(self.link, page),
            html=self.html.replace(self.link, page),
            message_id=writing.message_id(f"digest-test.{secrets.token_hex(16)}"),
        )

    def letter(self) -> FormLetter:
        """The mail as a form letter. HeaderRefused: the sender's name is invalid in a header."""
        return FormLetter(
            sender=current_mailer().sender, subject=SUBJECT, text=self.text, html=self.html, link=self.link
        )


def copy(letter: FormLetter, subscriber: Subscriber, message_id: str) -> Parcel:
    """The mail for one subscriber. All tries of a delivery have the same Message-ID."""
    return letter.copy(
        subscriber.email,
        message_id=message_id,
        headers=links.list_headers(subscriber, site()),
        link=links.unsubscribe_url(subscriber, site()),
    )


async def posts_of(db: AsyncSession, digest: Digest) -> Sequence[Post]:
    """The posts that it shows, newest first, in their present form and without unpublished ones."""
    its_own = DigestPost.digest_id == digest.id, DigestPost.shown
    query = select(Post).join(DigestPost, DigestPost.post_id == Post.id).where(*its_own, is_published())
    return (await db.scalars(query.order_by(Post.published_at.desc(), Post.id.desc()))).all()


async def write(posts: Sequence[Post], more: int) -> Written:
    """The digest of these posts. *more* is the number of further posts, which it only counts."""
    entries = [Entry(post.title, beginning(post.beginning, LONGEST_BEGINNING), _address(post)) for post in posts]
    link = f"https://{secrets.token_hex(16)}.invalid/"  # random, so that no post contains it
    words = {"entries": entries, "more": more, "blog": site().base_url + "/", "unsubscribe": link}
    parts = await writing.render("digest/mails/digest", subject=SUBJECT, **words)
    return Written(text=parts.text, html=parts.html, link=link)


async def trouble(digest: Digest, sentence: str) -> EmailMessage:
    """The mail to the owner that a digest needs attention."""
    return await writing.write(
        "digest/mails/trouble",
        to=owner_address(site()),
        subject="The weekly digest needs your attention",
        key=f"digest-trouble.{digest.id}.{int(digest.began_at.timestamp())}",
        sentence=sentence,
        url=f"{site().base_url}/digest/{digest.id}",
    )


def message_id(digest: Digest, delivery_pk: int) -> str:
    """Made of both ids and the time of creation, so that a new database, with the same ids, repeats none."""
    return writing.message_id(f"digest.{digest.id}.{delivery_pk}.{int(digest.created_at.timestamp())}")


def _address(post: Post) -> str:
    return site().base_url + url_for("blog.show", _external=False, **post.address)
