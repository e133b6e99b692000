"""The two links of a subscriber: to confirm and to unsubscribe. Each has the row's id and a token of SECRET_KEY."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.subscribers.models import State, Subscriber
from settings import Settings

UNSUBSCRIBE = "unsubscribe from the digest"
CONFIRM = "confirm the digest"


def confirm_url(subscriber: Subscriber, settings: Settings) -> str:
    """The confirmation link. Valid until the next request, for at most UNCONFIRMED_DAYS."""
    token = tokens.derive(settings.secret_key, CONFIRM, _asking(subscriber))
    return f"{settings.base_url}/subscribe/{subscriber.id}/{token}"


def unsubscribe_url(subscriber: Subscriber, settings: Settings, issue: int | None = None) -> str:
    """The unsubscribe link. Valid as long as the subscriber's row exists.

    *issue* is the number of the issue that it is in. It is only counted, and is no part of what the token permits.
    """
    token = tokens.derive(settings.secret_key, UNSUBSCRIBE, subscriber.nonce)
    return f"{settings.base_url}/unsubscribe/{subscriber.id}/{token}" + (f"?issue={issue}" if issue else "")


def list_headers(subscriber: Subscriber, settings: Settings, issue: int | None = None) -> dict[str, str]:
    """The list headers of a digest mail, for `compose()`: RFC 2919, 2369 and 8058."""
    return {
        "List-Id": f"<weekly-digest.{urlsplit(settings.base_url).hostname}>",
        "List-Unsubscribe": f"<{unsubscribe_url(subscriber, settings, issue)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


async def find_asked(db: AsyncSession, pk: int, token: str, settings: Settings) -> Subscriber | None:
    """The subscriber of this confirmation link, locked. None if the link has expired or is invalid."""
    subscriber = await db.get(Subscriber, pk, with_for_update=True)
    fits = tokens.fits(token, settings.secret_key, CONFIRM, _asking(subscriber))
    if subscriber is None or subscriber.asked_at is None or not fits:
        return None
    over = datetime.now(UTC) - subscriber.asked_at > timedelta(days=settings.unconfirmed_days)
    return None if over or subscriber.state not in (State.ASKED, State.CONFIRMED) else subscriber


async def find_subscribed(db: AsyncSession, pk: int, token: str, settings: Settings) -> Subscriber | None:
    """The subscriber of this unsubscribe link, locked, in any state. None if the link is invalid."""
    subscriber = await db.get(Subscriber, pk, with_for_update=True)
    nonce = subscriber.nonce if subscriber else ""
    return subscriber if tokens.fits(token, settings.secret_key, UNSUBSCRIBE, nonce) else None


def _asking(subscriber: Subscriber | None) -> str:
    """The nonce of the confirmation link. It changes with each request."""
    return f"{subscriber.nonce} {subscriber.asked_at}" if subscriber else ""
