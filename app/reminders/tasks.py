"""The background tasks of reminders."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from app.reminders import missed
from app.reminders.delivery import Tries, deliver
from jobs import Result, task

MORE_TRIES = 5
EVERY_S = 300
AT_ONCE = 16  # across all workers; docs/mail.md lists it for every kind of mail


@task(
    name="reminders.remind",
    bind=True,
    max_retries=MORE_TRIES,
    default_retry_delay=EVERY_S,
    max_concurrency=AT_ONCE,
    ignore_result=True,
)
async def remind(self: Any, pk: int) -> None:
    """Mail a reminder that is due. Safe to run twice, too early or too late, because the row decides.

    Counts its tries in the row, because only refusals of this mail count, and not a server that is away.
    """
    wait = await deliver(pk, Tries(more=MORE_TRIES, every=timedelta(seconds=EVERY_S)))
    if wait is not None:
        self.retry(countdown=wait.total_seconds(), max_retries=None)


@task(name="reminders.tell_missed", queue="mail", max_concurrency=4, ignore_result=True)
async def tell_missed(pk: int) -> None:
    """Mail the author of a missed reminder. Safe to run twice, because the row decides. The sweep repeats the call."""
    await missed.mail_author(pk)


async def mail_authors() -> None:
    """Call the task for each author of missed reminders. Several workers may do so at once."""
    await asyncio.gather(*(_mail_soon(f"missed:{one.id}:{one.revision}", one.id) for one in await missed.due()))


async def _mail_soon(job_id: str, pk: int) -> None:
    await Result(job_id).forget()  # the result of a failed run; a job that waits or runs stays
    await tell_missed.apply_async((pk,), task_id=job_id)
