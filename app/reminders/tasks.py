"""What reminders do in the background."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from app.reminders import missed
from app.reminders.delivery import Tries, deliver
from jobs import Result, task

MORE_TRIES = 5
EVERY_S = 300
AT_ONCE = 16  # of all workers together; docs/mail.md has every kind's


@task(
    name="reminders.remind",
    bind=True,
    max_retries=MORE_TRIES,
    default_retry_delay=EVERY_S,
    max_concurrency=AT_ONCE,
    ignore_result=True,
)
async def remind(self: Any, pk: int) -> None:
    """Harmless to run twice, too early or too late: the row says whether there is something to send.

    Only answers to this mail count as tries, so they are counted there; a server that is away uses none.
    """
    wait = await deliver(pk, Tries(more=MORE_TRIES, every=timedelta(seconds=EVERY_S)))
    if wait is not None:
        self.retry(countdown=wait.total_seconds(), max_retries=None)


@task(name="reminders.tell_missed", queue="mail", max_concurrency=4, ignore_result=True)
async def tell_missed(pk: int) -> None:
    """Harmless to run twice: the row says whether its author is told. It is called again by the sweep."""
    await missed.tell(pk)


async def tell_authors() -> None:
    """Call the task for each missed reminder whose author is to be told. Any number of workers may do so at once."""
    await asyncio.gather(
        *(_tell_soon(f"missed:{one.id}:{one.revision}", one.id) for one in await missed.untold())
    )


async def _tell_soon(job_id: str, pk: int) -> None:
    await Result(job_id).forget()  # of a run that failed, say; a job that waits or runs stays
    await tell_missed.apply_async((pk,), task_id=job_id)
