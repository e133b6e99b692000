"""The two links of a consent: one answers the request, one ends it. Each names its row; SECRET_KEY vouches for it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.reminders.consents.models import Consent
from settings import Settings

ANSWER = "answer who wants to remind"
STOP = "stop who reminds"


def answer_url(consent: Consent, settings: Settings) -> str:
    """Agrees and declines, as often as somebody changes their mind."""
    return f"{settings.base_url}/consents/{consent.id}/{_token(settings, ANSWER, consent)}"


def stop_url(consent: Consent, settings: Settings) -> str:
    """Only ends it: this link stands in every reminder, and a reminder may be passed on."""
    return f"{settings.base_url}/no-more/{consent.id}/{_token(settings, STOP, consent)}"


def stop_headers(consent: Consent, settings: Settings) -> dict[str, str]:
    """For `compose(headers=...)`: the mail program's own button does the same (RFC 2369, 8058)."""
    return {
        "List-Unsubscribe": f"<{stop_url(consent, settings)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


async def find(
    db: AsyncSession, pk: int, token: str, purpose: str, settings: Settings, *, lock: bool = False
) -> Consent | None:
    """The consent whose link of this purpose it is; None for a wrong link and for one whose account is gone."""
    consent = await db.get(Consent, pk, with_for_update=lock or None)
    nonce = consent.nonce if consent else ""
    if not tokens.fits(token, settings.secret_key, purpose, nonce):
        return None
    return consent if consent is not None and consent.account_id is not None else None


def _token(settings: Settings, purpose: str, consent: Consent) -> str:
    return tokens.derive(settings.secret_key, purpose, consent.nonce)
