"""Something for the monitor to show: a worker with tasks of its own, and jobs in every state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jobs import Result, chain, chord, connect, every, group, task, worker_settings
from tests.app.working import running
from tests.waiting import wait_until

CHINESE = "给植物浇水，每周二和周四"
RIGHT_TO_LEFT = "תזכורת להשקות את הצמחים ‮abc"
LONG = "extraordinarily" * 40


@task(name="shop.echo")
async def echo(*values: Any, **named: Any) -> Any:
    return values[0] if values else None


@task(name="shop.fail")
async def fail(text: str) -> None:
    raise ValueError(text)


@task(name="shop.flaky", max_retries=3, default_retry_delay=600, autoretry_for=(ConnectionError,))
async def flaky(text: str) -> None:
    raise ConnectionError(text)


@task(name="shop.slow")
async def slow(seconds: float) -> None:
    await asyncio.sleep(seconds)


@task(name="shop.create_user")
async def create_user(name: str, password: str) -> str:
    return name


@task(name="shop.limited", rate_limit="1/h")
async def limited(n: int) -> int:
    return n


TASKS = [echo, fail, flaky, slow, create_user, limited]


@asynccontextmanager
async def shop_worker(redis_url: str, **options: Any) -> AsyncIterator[Any]:
    """A worker of these tasks, with a schedule, until the block ends."""
    made: Any = worker_settings(
        redis_url=redis_url,
        tasks=TASKS,
        cron_jobs=[every(echo, timedelta(hours=6), name="stock-taking", args=("stock",))],
        queues=["default", "mail"],
        job_completion_wait=0,
        **options,
    )
    async with running(made) as worker:
        yield worker


@dataclass
class Shop:
    """Ids of jobs, by what became of them."""

    succeeded: Result
    failed: Result
    retrying: Result
    running: Result
    later: Result
    limited: Result
    secret: Result
    workflow: Result
    broken_workflow: Result
    large: Result


async def fill(members: int = 60) -> Shop:
    """Jobs in every state, with texts in all directions. Needs a worker, and the default connection."""
    shop = Shop(
        succeeded=await echo.delay(CHINESE, note=RIGHT_TO_LEFT),
        failed=await fail.delay(f"{LONG} {RIGHT_TO_LEFT}"),
        retrying=await flaky.delay(CHINESE),
        running=await slow.delay(60),
        later=await echo.apply_async(("later",), countdown=7200),
        limited=await limited.delay(1),
        secret=await create_user.apply_async(("John Doe", "hunter2")),
        workflow=await chain(echo.s("a"), group(echo.s(n) for n in range(3)), echo.s()).delay(),
        broken_workflow=await chord([echo.s(1), fail.s("no luck")], echo.s()).delay(),
        large=await (group(echo.s(n) for n in range(members)) | echo.s()).delay(),
    )
    await limited.delay(2)
    for ended in (shop.succeeded, shop.failed, shop.secret, shop.workflow, shop.broken_workflow, shop.large):
        await ended.get(propagate=False, timeout=30)
    await wait_until(lambda: _is(shop.retrying, "RETRY"), "the retry to be planned")
    await wait_until(lambda: _is(shop.running, "STARTED"), "the slow job to run")
    return shop


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state


@asynccontextmanager
async def shop(redis_url: str, **options: Any) -> AsyncIterator[Shop]:
    """A worker that has done, and does, all this."""
    async with connect(redis_url), shop_worker(redis_url, **options):
        yield await fill()
