"""The tasks of a shop, the tenant that travels with each call, and the worker's settings.

arq examples.observability.shop.WorkerSettings
"""

import asyncio
import logging
import os
from contextvars import ContextVar
from typing import Any

from examples.observability import telemetry
from jobs import CurrentJob, Middleware, OutgoingCall, Result, crontab, group, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
log = logging.getLogger("shop")
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class Tenant(Middleware):
    """Each call takes the tenant along, and each run has it back: in members of workflows and in retries too."""

    async def send(self, call: OutgoingCall, call_next: Any) -> Result:
        call.headers.setdefault("tenant", tenant.get())
        return await call_next(call)

    async def run(self, job: CurrentJob, call_next: Any) -> Any:
        tenant.set(job.request.headers.get("tenant", "nobody"))
        return await call_next(job)


MIDDLEWARE = [Tenant()]


@task(name="shop.order")
async def order(items: list[str]) -> str:
    """Calls a workflow, and does not wait for it: everything is packed, then charged."""
    workflow = await (group(pack.s(item) for item in items) | charge.s()).delay()
    return workflow.id


@task(name="shop.pack")
async def pack(item: str) -> int:
    """A slow task. Returns the price."""
    await asyncio.sleep(0.3)
    return len(item)


@task(name="shop.charge", autoretry_for=(ConnectionError,), max_retries=1, default_retry_delay=0.1)
async def charge(prices: list[int]) -> str:
    """Fails after a retry, for one tenant."""
    log.info("asking the bank", extra={"tenant": tenant.get(), "amount": sum(prices)})
    if tenant.get() == "umbrella":
        raise ConnectionError("the bank does not answer")
    return f"{tenant.get()} has paid {sum(prices)}"


async def start(context: dict[Any, Any]) -> None:
    telemetry.set_up("shop-worker")


WorkerSettings = worker_settings(
    redis_url=REDIS_URL,
    tasks=[order, pack, charge],
    cron_jobs=[crontab(pack, args=("the weekly box",), hour=7, minute=0, day_of_week="mon")],
    middleware=MIDDLEWARE,
    on_startup=start,
    log_format="json",
    health=os.environ.get("WORKER_PORT", "127.0.0.1:9101"),
)
