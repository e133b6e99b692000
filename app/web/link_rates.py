"""How often one link, and one client, may answer. A link is in an email, and works for everybody who has that."""

from __future__ import annotations

from app.web.clients import client_address
from app.web.rate_limits import Limit, current_rate_limits

AN_HOUR = 30
"""Answers by one link."""
CLIENT_AN_HOUR = 120
"""Answers of one kind by one client, which may be a whole office."""


async def take(kind: str, number: int) -> int:
    """Count an answer of this kind to what has this number. Returns 0 if it is allowed, or the seconds to wait.

    Raises RateLimitsUnavailable if Redis does not answer.
    """
    return await current_rate_limits().take(
        Limit(kind, str(number), times=AN_HOUR, period_s=3600),
        Limit(f"{kind}-client", client_address(), times=CLIENT_AN_HOUR, period_s=3600),
    )
