"""The mail of a digest: written once, personal to each subscriber by the links at its end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from email.message import EmailMessage

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.links import owner_address
from app.context import site
from app.digest import issues
from app.digest.issues import Issue
from app.digest.models import Digest
from app.mail import FormLetter, Parcel, compose, current_mailer, writing
from app.subscribers import links
from app.subscribers.models import Subscriber


@dataclass(frozen=True)
class Written:
    """A digest as text and HTML. `link` in them is a placeholder for each subscriber's link."""

    subject: str
    text: str
    html: str
    link: str

    def as_test(self) -> EmailMessage:
        """A test mail to the owner. Its link leads to the page of the digests."""
        page = issues.instead_of_a_link()
        return compose(
            sender=current_mailer().sender,
            to=owner_address(site()),
            subject=f"Test: {self.subject}",
            text=self.text.replace(self.link, page),
            html=self.html.replace(self.link, page),
            message_id=writing.message_id(f"digest-test.{secrets.token_hex(16)}"),
        )

    def letter(self) -> FormLetter:
        """The mail as a form letter. HeaderRefused: the sender's name is invalid in a header."""
        return FormLetter(
            sender=current_mailer().sender, subject=self.subject, text=self.text, html=self.html, link=self.link
        )


def copy(letter: FormLetter, subscriber: Subscriber, message_id: str, issue: int | None) -> Parcel:
    """The mail for one subscriber. All tries of a delivery have the same Message-ID."""
    return letter.copy(
        subscriber.email,
        message_id=message_id,
        headers=links.list_headers(subscriber, site(), issue),
        link=links.unsubscribe_url(subscriber, site(), issue),
    )


async def write(issue: Issue) -> Written:
    """The mail of this issue."""
    link = f"https://{secrets.token_hex(16)}.invalid/"  # random, so that no post contains it
    words = {"issue": issue, "blog": site().base_url + "/", "unsubscribe": link}
    parts = await writing.render("digest/mails/digest", subject=issue.subject, **words)
    return Written(subject=issue.subject, text=parts.text, html=parts.html, link=link)


async def of(db: AsyncSession, digest: Digest | None) -> Written:
    """The mail of *digest*, or of the one that would be created now."""
    return await write(await issues.of(db, digest))


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
