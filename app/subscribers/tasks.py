"""The background tasks of subscribers."""

from __future__ import annotations

import asyncio

from app.subscribers import delivery
from jobs import task


@task(name="subscribers.send_confirmation", queue="mail", max_concurrency=4, ignore_result=True)
async def send_confirmation(pk: int) -> None:
    """Mail a confirmation that is due. Safe to run twice, because the row decides."""
    await delivery.send(pk)


@task(name="subscribers.send_overdue", queue="mail", ignore_result=True)
async def send_overdue() -> None:
    """Send overdue confirmations, after a failure of Redis, a worker or the mail server."""
    await asyncio.gather(*(send_confirmation.delay(pk) for pk in await delivery.overdue()))
