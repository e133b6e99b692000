"""The jobs. They keep their names: calls that wait have them."""

import asyncio
from datetime import timedelta

from jobs import CurrentJob, current_job, task

from .errors import CardDeclined


@task(name="send_receipt")
async def send_receipt(number: int) -> dict:
    await book()
    return {"order": number, "currency": current_job().ctx["currency"]}


@task(name="charge", bind=True, max_retries=5, result_expires=timedelta(hours=2), raises=(CardDeclined,))
async def charge(self: CurrentJob, number: int, total: float = 10.0, declines: int = 0) -> float:
    if declines < 0:
        raise CardDeclined(f"order {number}")
    if self.request.retries < declines:
        self.retry(countdown=0.3)
    await book()
    return total


@task(name="export", time_limit=60)
async def export(seconds: float) -> str:
    await asyncio.sleep(seconds)
    await book()
    return f"{seconds} s of rows"


@task(name="import_catalogue")
async def import_catalogue(name: str, pages: int) -> int:
    for page in range(pages):
        await import_page.apply_async((page,), task_id=f"page:{name}:{page}")
    await book()
    return pages


@task(name="import_page")
async def import_page(page: int) -> int:
    await book()
    return page


@task(name="sweep_carts")
async def sweep_carts() -> None:
    await book()


async def book() -> None:
    """What the shop does in each job: it must be done once."""
    job = current_job()
    await job.ctx["redis"].hincrby("shop:done", job.request.id, 1)
