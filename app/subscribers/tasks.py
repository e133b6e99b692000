"""What subscribing does in the background."""

from __future__ import annotations

import asyncio

from app.subscribers import delivery
from jobs import task


@task(name="subscribers.send_confirmation", queue="mail", max_concurrency=4, ignore_result=True)
async def send_confirmation(pk: int) -> None:
    """Harmless to run twice: the row says whether a mail is due."""
    await delivery.send(pk)


@task(name="subscribers.send_overdue", queue="mail", ignore_result=True)
async def send_overdue() -> None:
    """Send what has not left: the queue was away, a worker died, the mail server did not take it."""
    await asyncio.gather(*(send_confirmation.delay(pk) for pk in await delivery.overdue()))
