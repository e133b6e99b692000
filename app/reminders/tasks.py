"""What reminders do in the background."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.reminders.delivery import Tries, deliver
from jobs import task

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
