"""The background task of accounts."""

from __future__ import annotations

from typing import Any

from app.accounts import mails
from app.mail import DeliveryFailed, Outcome
from jobs import task


@task(
    name="accounts.send_sign_in_link", bind=True, queue="mail", max_concurrency=30, max_retries=20, ignore_result=True
)
async def send_sign_in_link(self: Any, link_id: int) -> None:
    """Mail a link. Safe to run twice: a repeat has the same Message-ID, and a used or expired link is not mailed."""
    try:
        await mails.sign_in_link(link_id)
    except DeliveryFailed as failed:
        if failed.outcome is not Outcome.PERMANENT:
            raise self.retry(exc=failed, countdown=min(5 * 2**self.request.retries, 60)) from failed
        raise
