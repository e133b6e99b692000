"""What the digest does in the background: begin one each week, lead it to its end, send its batches."""

from __future__ import annotations

from typing import Any

from app.digest import batch, choosing, rounds
from app.digest.models import Digest
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


async def start(pk: int) -> None:
    """Send it, unless that is being done already."""
    job_id = Digest(id=pk).job_id
    await Result(job_id).forget()  # an earlier run that has ended would keep the id taken
    await send.apply_async((pk,), task_id=job_id)
