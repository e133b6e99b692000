"""The two links of a subscriber: one confirms, one unsubscribes. Each names its row; SECRET_KEY vouches for it."""

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
    """Good until it is asked for again, or for UNCONFIRMED_DAYS."""
    token = tokens.derive(settings.secret_key, CONFIRM, _asking(subscriber))
    return f"{settings.base_url}/subscribe/{subscriber.id}/{token}"


def unsubscribe_url(subscriber: Subscriber, settings: Settings) -> str:
    """The same in every mail, and good for as long as the subscriber's row is there."""
    token = tokens.derive(settings.secret_key, UNSUBSCRIBE, subscriber.nonce)
    return f"{settings.base_url}/unsubscribe/{subscriber.id}/{token}"


def list_headers(subscriber: Subscriber, settings: Settings) -> dict[str, str]:
    """What a mail of the digest carries, for `compose(headers=...)`: RFC 2919, 2369 and 8058."""
    return {
        "List-Id": f"<weekly-digest.{urlsplit(settings.base_url).hostname}>",
        "List-Unsubscribe": f"<{unsubscribe_url(subscriber, settings)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


async def find_asked(db: AsyncSession, pk: int, token: str, settings: Settings) -> Subscriber | None:
    """The subscriber whose confirmation link this is, locked; None if the link is over or is none."""
    subscriber = await db.get(Subscriber, pk, with_for_update=True)
    fits = tokens.fits(token, settings.secret_key, CONFIRM, _asking(subscriber))
    if subscriber is None or subscriber.asked_at is None or not fits:
        return None
    over = datetime.now(UTC) - subscriber.asked_at > timedelta(days=settings.unconfirmed_days)
    return None if over or subscriber.state not in (State.ASKED, State.CONFIRMED) else subscriber


async def find_subscribed(db: AsyncSession, pk: int, token: str, settings: Settings) -> Subscriber | None:
    """The subscriber whose unsubscribe link this is, locked, whatever its state."""
    subscriber = await db.get(Subscriber, pk, with_for_update=True)
    nonce = subscriber.nonce if subscriber else ""
    return subscriber if tokens.fits(token, settings.secret_key, UNSUBSCRIBE, nonce) else None


def _asking(subscriber: Subscriber | None) -> str:
    """Another one each time that the address is asked for."""
    return f"{subscriber.nonce} {subscriber.asked_at}" if subscriber else ""
