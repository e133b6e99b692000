"""The one message that accounts send."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from urllib.parse import urlsplit

from quart import render_template

from app import database
from app.accounts.links import address_of
from app.accounts.models import SignInLink
from app.context import site
from app.mail import compose, current_mailer


async def sign_in_link(link_id: int) -> None:
    """Mail this link if it can still be used. Raises DeliveryFailed. Each try has the same Message-ID."""
    async with database.session() as db:
        link = await db.get(SignInLink, link_id)
    now = datetime.now(UTC)
    if link is None or link.used_at is not None or link.expires_at <= now:
        return
    words = {"url": address_of(link, site()), "minutes": ceil((link.expires_at - now).total_seconds() / 60)}
    await current_mailer().send(
        compose(
            sender=current_mailer().sender,
            to=link.email,
            subject=f"Sign in to {site().site_name}",
            text=await render_template("accounts/mails/sign_in_link.txt", **words),
            html=await render_template("accounts/mails/sign_in_link.html", **words),
            message_id=f"<sign-in-{link.token_hash[:32]}@{urlsplit(site().base_url).hostname}>",
        )
    )
