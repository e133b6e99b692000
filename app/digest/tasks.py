"""What the digest does in the background: begin one each week, lead it to its end, send its batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app import database
from app.digest import batch, choosing, rounds, trouble
from app.digest.models import Digest
from app.mail import DeliveryFailed, Outcome, current_mailer
from jobs import Result, group, task

QUEUE = "digest"


@task(
    name="digest.weekly", bind=True, queue=QUEUE, max_retries=20, retry_backoff=5, autoretry_for=(Exception,)
)
async def digest(self: Any) -> int | None:
    """Begin a digest, and return its id; None if there is nothing new, or nobody to read it.

    Run again under the same id it goes on with the digest that it has begun.
    """
    pk = await choosing.begin(self.request.id)
    if pk is not None:
        await start(pk)
    return pk


@task(name="digest.send", bind=True, queue=QUEUE, max_retries=None, ignore_result=True)
async def send(self: Any, pk: int) -> None:
    """Lead digest *pk* to its end. SQL says how far it is, so it may die and begin again at any place."""
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
    """The deliveries with these ids. What it leaves undone is in the next round."""
    await batch.send_batch(pk, first, last)


@task(name="digest.send_test", queue="mail", ignore_result=True)
async def send_test(pk: int | None = None) -> None:
    """The mail of digest *pk*, else of the one that would be made now, to the owner alone."""
    async with database.session() as db:
        digest = await db.get_one(Digest, pk) if pk is not None else None
        written = await choosing.preview(db, digest)
    await current_mailer().send(written.as_test())


@task(name="digest.tell_owner", bind=True, queue="mail", max_retries=None, ignore_result=True)
async def tell_owner(self: Any, pk: int) -> None:
    """That digest *pk* needs somebody: one mail, once mail can be sent."""
    try:
        await trouble.tell_owner(pk)
    except DeliveryFailed as failed:
        if failed.outcome is Outcome.PERMANENT:
            raise
        raise self.retry(exc=failed, countdown=min(30 * 2**self.request.retries, 300)) from failed


async def start(pk: int) -> None:
    """Send it now, whether its job has ended, waits for its next round, or was lost."""
    job = Result(Digest(id=pk).job_id)
    await job.forget()  # an earlier run that has ended would keep the id taken
    await send.apply_async((pk,), task_id=job.id)
    await job.reschedule(datetime.now(UTC))
