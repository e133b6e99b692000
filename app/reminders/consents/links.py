"""The two links of a consent: to answer the request, and to stop. Each has the row's id and a token of SECRET_KEY."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.reminders.consents.models import Consent
from settings import Settings

ANSWER = "answer who wants to remind"
STOP = "stop who reminds"


def answer_url(consent: Consent, settings: Settings) -> str:
    """The link to agree and to decline, any number of times."""
    return f"{settings.base_url}/consents/{consent.id}/{_token(settings, ANSWER, consent)}"


def stop_url(consent: Consent, settings: Settings) -> str:
    """The link in every reminder. It can only decline, because a reminder may be forwarded."""
    return f"{settings.base_url}/no-more/{consent.id}/{_token(settings, STOP, consent)}"


def stop_headers(consent: Consent, settings: Settings) -> dict[str, str]:
    """Headers for `compose()`: the stop link for the button of mail programs (RFC 2369, 8058)."""
    return {
        "List-Unsubscribe": f"<{stop_url(consent, settings)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


async def find(
    db: AsyncSession, pk: int, token: str, purpose: str, settings: Settings, *, lock: bool = False
) -> Consent | None:
    """The consent of this link. None if the token is wrong or the account was deleted."""
    consent = await db.get(Consent, pk, with_for_update=lock or None)
    nonce = consent.nonce if consent else ""
    if not tokens.fits(token, settings.secret_key, purpose, nonce):
        return None
    return consent if consent is not None and consent.account_id is not None else None


def _token(settings: Settings, purpose: str, consent: Consent) -> str:
    return tokens.derive(settings.secret_key, purpose, consent.nonce)
