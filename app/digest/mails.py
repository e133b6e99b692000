"""What a digest says: written once, and made each subscriber's own by the links at its end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import render_template, url_for
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.links import owner_address
from app.blog import Post
from app.blog.models import is_published
from app.blog.words import beginning
from app.context import site
from app.digest.models import Digest, DigestPost
from app.mail import FormLetter, Parcel, compose, current_mailer
from app.subscribers import links
from app.subscribers.models import Subscriber

SUBJECT = "Weekly Digest"
LONGEST_BEGINNING = 500  # characters


@dataclass(frozen=True)
class Entry:
    """A post as a digest shows it; everything in it is plain text."""

    title: str
    beginning: str
    url: str


@dataclass(frozen=True)
class Written:
    """A digest as text and HTML; `link` stands in them where the subscriber's own one belongs."""

    text: str
    html: str
    link: str

    def as_test(self) -> EmailMessage:
        """The mail for the owner to look at; its link leads to the page of the digests."""
        page = f"{site().base_url}/digest/"
        return compose(
            sender=current_mailer().sender,
            to=owner_address(site()),
            subject=f"Test: {SUBJECT}",
            text=self.text.replace(self.link, page),
            html=self.html.replace(self.link, page),
            message_id=f"<digest-test.{secrets.token_hex(16)}@{mail_domain()}>",
        )

    def letter(self) -> FormLetter:
        """For many subscribers. HeaderRefused: the sender's name may not stand in a header."""
        return FormLetter(
            sender=current_mailer().sender, subject=SUBJECT, text=self.text, html=self.html, link=self.link
        )


def copy(letter: FormLetter, subscriber: Subscriber, message_id: str) -> Parcel:
    """The mail for one subscriber. The same Message-ID is the same mail: all tries of a delivery have it."""
    return letter.copy(
        subscriber.email,
        message_id=message_id,
        headers=links.list_headers(subscriber, site()),
        link=links.unsubscribe_url(subscriber, site()),
    )


async def posts_of(db: AsyncSession, digest: Digest) -> Sequence[Post]:
    """What it shows, newest first: as the posts are now, without those that were taken back meanwhile."""
    its_own = DigestPost.digest_id == digest.id, DigestPost.shown
    query = select(Post).join(DigestPost, DigestPost.post_id == Post.id).where(*its_own, is_published())
    return (await db.scalars(query.order_by(Post.published_at.desc(), Post.id.desc()))).all()


async def write(posts: Sequence[Post], more: int) -> Written:
    """The digest of these posts, and of so many more that it only counts."""
    entries = [
        Entry(post.title, beginning(post.beginning, LONGEST_BEGINNING), _address(post)) for post in posts
    ]
    link = f"https://{secrets.token_hex(16)}.invalid/"  # no post can hold it
    words = {"entries": entries, "more": more, "blog": site().base_url + "/", "unsubscribe": link}
    return Written(
        text=await render_template("digest/mails/digest.txt", **words),
        html=await render_template("digest/mails/digest.html", **words),
        link=link,
    )


async def trouble(digest: Digest, sentence: str) -> EmailMessage:
    """Tell the owner that a digest needs somebody."""
    words = {"sentence": sentence, "url": f"{site().base_url}/digest/{digest.id}"}
    return compose(
        sender=current_mailer().sender,
        to=owner_address(site()),
        subject="The weekly digest needs your attention",
        text=await render_template("digest/mails/trouble.txt", **words),
        html=await render_template("digest/mails/trouble.html", **words),
        message_id=f"<digest-trouble.{digest.id}.{int(digest.began_at.timestamp())}@{mail_domain()}>",
    )


def message_id(digest: Digest, delivery_pk: int) -> str:
    """Named after what it is, and when the digest was made, so that a database that begins anew repeats none."""
    return f"<digest.{digest.id}.{delivery_pk}.{int(digest.created_at.timestamp())}@{mail_domain()}>"


def mail_domain() -> str:
    """The site's name in Message-IDs."""
    return urlsplit(site().base_url).hostname or "localhost"


def _address(post: Post) -> str:
    return site().base_url + url_for("blog.show", _external=False, **post.address)
