"""The background task of consents."""

from __future__ import annotations

import asyncio

from app.reminders.consents import requests
from app.reminders.consents.models import Consent
from jobs import Result, task


@task(name="reminders.ask_for_consent", queue="mail", max_concurrency=4, ignore_result=True)
async def ask_for_consent(pk: int) -> None:
    """Mail a request that is due. Safe to run twice, because the row decides. The sweep repeats the call."""
    await requests.send(pk)


async def mail_due() -> None:
    """Call the task for every request that is due now. Several workers may do so at once."""
    await asyncio.gather(*(ask_soon(consent) for consent in await requests.due()))


async def ask_soon(consent: Consent) -> None:
    """Call the task for this request. Before its turn the task does nothing."""
    job_id = f"consent:{consent.id}"
    await Result(job_id).forget()  # the result of a failed run; a job that waits or runs stays
    await ask_for_consent.apply_async((consent.id,), task_id=job_id)
