"""How many people may be asked: by one account, from one place, and by the whole site."""

from __future__ import annotations

from quart import current_app

from app import database
from app.accounts import Account
from app.rate_limits import Limit, RateLimits
from app.reminders.consents import answers
from app.security.hosts import client_address

DAY_S = 24 * 3600


async def take(account: Account, email: str) -> int:
    """Before *account* asks *email*: 0 if it may, or need not ask; else the seconds to wait.

    Raises RateLimitsUnavailable if Redis does not answer.
    """
    async with database.session() as db:
        if not answers.needs_request(await answers.of_pair(db, account.id, email)):
            return 0
    rate_limits: RateLimits = current_app.extensions["rate_limits"]
    return await rate_limits.take(
        Limit("consent-account", str(account.id), times=10, period_s=DAY_S),
        Limit("consent-client", client_address(), times=30, period_s=DAY_S),
        Limit("consent-all", "", times=1_000, period_s=DAY_S),
    )
