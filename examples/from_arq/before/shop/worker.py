"""The worker: `arq shop.worker.WorkerSettings`; `arq --check shop.worker.WorkerSettings` says whether one lives."""

import asyncio
import os

from arq import Retry, cron, func
from arq.connections import RedisSettings

from .orders import CardDeclined, Order, Receipt

QUEUE = "shop:jobs"
REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://localhost:6379"))


async def send_receipt(ctx, order):
    await book(ctx)
    return Receipt(order, ctx["currency"])


async def charge(ctx, order):
    if order.declines < 0:
        raise CardDeclined(f"order {order.number}")
    if ctx["job_try"] <= order.declines:
        raise Retry(defer=0.3)
    await book(ctx)
    return order.total


async def export(ctx, seconds):
    """The rows that a first try has written are there in the second."""
    await asyncio.sleep(seconds if ctx["job_try"] == 1 else 0)
    await book(ctx)
    return f"{seconds} s of rows"


async def import_catalogue(ctx, name, pages):
    """Fan-out: a page that two catalogues share is imported once."""
    for page in range(pages):
        await ctx["redis"].enqueue_job("import_page", Order(page), _job_id=f"page:{name}:{page}")
    await book(ctx)
    return pages


async def import_page(ctx, page):
    await book(ctx)
    return page


async def sweep_carts(ctx):
    await book(ctx)


async def book(ctx):
    """What the shop does in each job: it must be done once."""
    await ctx["redis"].hincrby("shop:done", ctx["job_id"], 1)


async def startup(ctx):
    ctx["currency"] = "EUR"


async def shutdown(ctx):
    await ctx["redis"].incr("shop:shutdowns")


async def job_start(ctx):
    await ctx["redis"].hincrby("shop:starts", ctx["job_id"], 1)


async def after_job_end(ctx):
    await ctx["redis"].hincrby("shop:ends", ctx["job_id"], 1)


class WorkerSettings:
    functions = (
        send_receipt,
        func(charge, name="charge", max_tries=6, keep_result=7200),
        func(export, name="export", timeout=60),
        import_catalogue,
        import_page,
    )
    cron_jobs = (cron(sweep_carts, second={*range(60)}),)
    redis_settings = REDIS
    queue_name = QUEUE
    on_startup = startup
    on_shutdown = shutdown
    on_job_start = job_start
    after_job_end = after_job_end
    max_jobs = 20
    max_tries = 5
    job_timeout = 30
    keep_result = 3600
    poll_delay = 0.1
    allow_abort_jobs = True
    health_check_interval = 5
    health_check_key = "shop:health"
