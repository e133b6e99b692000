"""The background tasks of the digest: create one each week, send it in rounds, send its batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app import database
from app.digest import batch, choosing, mails, rounds, trouble
from app.digest.models import Digest
from app.mail import DeliveryFailed, Outcome, current_mailer
from jobs import Result, group, task

QUEUE = "digest"


@task(name="digest.weekly", bind=True, queue=QUEUE, max_retries=20, retry_backoff=5, autoretry_for=(Exception,))
async def digest(self: Any) -> int | None:
    """Create a digest and start it. Returns its id; None without new posts or without subscribers.

    A rerun under the same job id continues with the digest that the first run created.
    """
    pk = await choosing.begin(self.request.id)
    if pk is not None:
        await start(pk)
    return pk


@task(name="digest.send", bind=True, queue=QUEUE, max_retries=None, ignore_result=True)
async def send(self: Any, pk: int) -> None:
    """Send digest *pk* to its end. SQL holds the progress, so the job may die and restart at any point."""
    this = await rounds.next_round(pk)
    if this.batches:
        batches = group(send_batch.s(pk, first, last) for first, last in this.batches)
        result = await batches.apply_async(task_id=f"{self.request.id}:{this.number}")
        await result.get(propagate=False)
    wait = await rounds.end_round(pk)
    if wait is not None:
        self.retry(countdown=wait.total_seconds())


@task(name="digest.send_batch", queue=QUEUE, max_concurrency=batch.AT_ONCE, max_retries=0, ignore_result=True)
async def send_batch(pk: int, first: int, last: int) -> None:
    """Send the due deliveries among these ids. The next round gets the rest."""
    await batch.send_batch(pk, first, last)


@task(name="digest.send_test", queue="mail", ignore_result=True)
async def send_test(pk: int | None = None) -> None:
    """Mail digest *pk* to the owner only. By default the one that would be created now."""
    async with database.session() as db:
        digest = await db.get_one(Digest, pk) if pk is not None else None
        written = await mails.of(db, digest)
    await current_mailer().send(written.as_test())


@task(name="digest.tell_owner", bind=True, queue="mail", max_retries=None, ignore_result=True)
async def tell_owner(self: Any, pk: int) -> None:
    """Mail the owner that digest *pk* needs attention. Sends one mail, as soon as mail can be sent."""
    try:
        await trouble.tell_owner(pk)
    except DeliveryFailed as failed:
        if failed.outcome is Outcome.PERMANENT:
            raise
        raise self.retry(exc=failed, countdown=min(30 * 2**self.request.retries, 300)) from failed


async def start(pk: int, at: datetime | None = None) -> None:
    """Start the job of the digest now or at *at*, whether it has ended, waits for its next round, or was lost."""
    job = Result(Digest(id=pk).job_id)
    await job.forget()  # the result of an earlier run would occupy the id
    await send.apply_async((pk,), task_id=job.id, eta=at)
    await job.reschedule(at or datetime.now(UTC))
