"""The background tasks of subscribers."""

from __future__ import annotations

import asyncio

from app.subscribers import delivery
from app.subscribers.models import Subscriber
from jobs import Result, task


@task(name="subscribers.send_confirmation", queue="mail", max_concurrency=4, ignore_result=True)
async def send_confirmation(pk: int) -> None:
    """Mail a confirmation that is due. Safe to run twice, because the row decides."""
    await delivery.send(pk)


@task(name="subscribers.send_overdue", queue="mail", ignore_result=True)
async def send_overdue() -> None:
    """Send overdue confirmations, after a failure of Redis, a worker or the mail server."""
    await asyncio.gather(*(send_soon(subscriber) for subscriber in await delivery.overdue()))


async def send_soon(subscriber: Subscriber) -> None:
    """Queue its confirmation mail, under one id for each request. A job that waits or runs stays as it is."""
    await Result(subscriber.job_id).forget()  # an earlier try would occupy the id
    await send_confirmation.apply_async((subscriber.id,), task_id=subscriber.job_id)
