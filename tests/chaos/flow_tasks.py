"""Tasks with limits by key, and with keys of their own, for workers under faults."""

from __future__ import annotations

import os
from typing import Any

from jobs import Limit, Unique, task, worker_settings
from tests.chaos import tasks
from tests.chaos.tasks import act

WINDOW_S, DEBOUNCE_S, MAX_WAIT_S = 3, 1, 4
OF_A_TENANT, OF_ALL, STARTS = 2, 5, 10


@task(
    name="chaos.tenant",
    bind=True,
    max_concurrency=[OF_ALL, Limit(OF_A_TENANT, per="user")],
    rate_limit=Limit(f"{STARTS}/s", per="user"),
)
async def tenant(self: Any, key: str, seconds: float, user: int) -> str:
    return await act(self, key, seconds)


@task(name="chaos.once", bind=True, unique=Unique("user"))
async def once(self: Any, key: str, seconds: float, user: int) -> str:
    return await act(self, key, seconds)


@task(name="chaos.latest", bind=True, unique=Unique("user", until="start"))
async def latest(self: Any, key: str, seconds: float, user: int) -> str:
    return await act(self, key, seconds)


@task(name="chaos.throttled", bind=True, unique=Unique("user", window=WINDOW_S))
async def throttled(self: Any, key: str, seconds: float, user: int) -> str:
    return await act(self, key, seconds)


@task(name="chaos.debounced", bind=True, unique=Unique("user", debounce=DEBOUNCE_S, max_wait=MAX_WAIT_S))
async def debounced(self: Any, key: str, seconds: float, user: int) -> str:
    return await act(self, key, seconds)


FLOW = [tenant, once, latest, throttled, debounced]

WorkerSettings = worker_settings(
    redis_url=os.environ.get("REDIS_URL", "redis://127.0.0.1"),
    tasks=[*tasks.TASKS, *FLOW],
    job_completion_wait=25,
    lease=5,
    lease_renewal=1.5,
    on_startup=tasks.say_ready,
)
