"""The one message that accounts send."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app import database
from app.accounts.links import address_of
from app.accounts.models import Account, SignInLink
from app.context import site
from app.mail import current_mailer, write
from jobs.monitor_site.web import moments


async def sign_in_link(link_id: int) -> None:
    """Mail this link if it can still be used. Raises DeliveryFailed. Each try has the same Message-ID."""
    async with database.session() as db:
        link = await db.get(SignInLink, link_id)
        zone = await db.scalar(select(Account.timezone).where(Account.email == link.email)) if link else None
    now = datetime.now(UTC)
    if link is None or link.used_at is not None or link.expires_at <= now:
        return
    await current_mailer().send(
        await write(
            "accounts/mails/sign_in_link",
            to=link.email,
            subject=f"Sign in to {site().site_name}",
            key=f"sign-in-{link.token_hash[:32]}",
            url=address_of(link, site()),
            email=link.email,
            asked=moments.spelled(link.created_at.replace(microsecond=0), ZoneInfo(zone or site().timezone)),
            browser=link.browser,
            minutes=ceil((link.expires_at - now).total_seconds() / 60),
        )
    )
