"""How often one link, and one client, may reply. A link is in an email, and works for everybody who has that."""

from __future__ import annotations

from app.web.clients import client_address
from app.web.rate_limits import Limit, current_rate_limits

AN_HOUR = 30
"""Replies by one link."""
CLIENT_AN_HOUR = 120
"""Replies by one client, which may be a whole office."""


async def take(pk: int) -> int:
    """Count a reply to this reminder. Returns 0 if it is allowed, or the seconds to wait.

    Raises RateLimitsUnavailable if Redis does not answer.
    """
    return await current_rate_limits().take(
        Limit("reply", str(pk), times=AN_HOUR, period_s=3600),
        Limit("reply-client", client_address(), times=CLIENT_AN_HOUR, period_s=3600),
    )
