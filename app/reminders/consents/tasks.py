"""What consents do in the background."""

from __future__ import annotations

import asyncio

from app.reminders.consents import requests
from app.reminders.consents.models import Consent
from jobs import Result, task


@task(name="reminders.ask_for_consent", queue="mail", max_concurrency=4, ignore_result=True)
async def ask_for_consent(pk: int) -> None:
    """Harmless to run twice: the row says whether there is something to ask. It is called again by the sweep."""
    await requests.send(pk)


async def mail_due() -> None:
    """Call the task for every request that is to be mailed now. Any number of workers may do so at once."""
    await asyncio.gather(*(ask_soon(consent) for consent in await requests.due()))


async def ask_soon(consent: Consent) -> None:
    """Call the task for this one: before its turn, it does nothing."""
    job_id = f"consent:{consent.id}"
    await Result(job_id).forget()  # of a run that failed, say; a job that waits or runs stays
    await ask_for_consent.apply_async((consent.id,), task_id=job_id)
