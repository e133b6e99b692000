"""The confirmation mail."""

from __future__ import annotations

from email.message import EmailMessage

from app.context import site
from app.mail import write, writing
from app.subscribers.digest_schedule import next_digest_spelled
from app.subscribers.links import confirm_url, unsubscribe_url
from app.subscribers.models import State, Subscriber


async def confirmation(subscriber: Subscriber) -> EmailMessage:
    """The mail with the confirmation link, or with the news that the address already gets the digest.

    It contains nothing that a visitor has typed.
    """
    beginning = "You already get" if subscriber.state == State.CONFIRMED else "Confirm your subscription to"
    return await write(
        "subscribers/mails/confirmation",
        to=subscriber.email,
        subject=f"{beginning} the weekly digest of {site().site_name}",
        key=_key(subscriber),
        state=subscriber.state,
        imported=subscriber.import_id is not None,
        confirm=confirm_url(subscriber, site()),
        unsubscribe=unsubscribe_url(subscriber, site()),
        next_digest=next_digest_spelled(),
    )


def message_id(subscriber: Subscriber) -> str:
    """The Message-ID of its confirmation mail: the same for all tries of one request."""
    return writing.message_id(_key(subscriber))


def _key(subscriber: Subscriber) -> str:
    return f"subscribe.{subscriber.id}.{int((subscriber.asked_at or subscriber.created_at).timestamp())}"
