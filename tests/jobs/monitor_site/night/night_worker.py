"""The worker of the night: its tasks have the names and do what NIGHT says, JSON in the environment."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from jobs import Task, task, worker_settings
from tests.jobs.monitor_site.night.chosen import HELD

NIGHT: dict[str, Any] = json.loads(os.environ["NIGHT"])
CALM = Path(os.environ["NIGHT_CALM"])
"""Once it is there, what failed succeeds."""
VERSION = os.environ["NIGHT_VERSION"]
IS_NEW = NIGHT["versions"][1] == VERSION
FAILING = {one["task"]: one for one in [*NIGHT["failing"], *(rerun["failing"] for rerun in NIGHT["reruns"].values())]}
SECONDS = dict.fromkeys(NIGHT["quick"], 0.04) | {NIGHT["slowest"]: 1.3, NIGHT["busiest"]: 0.4, NIGHT["worse"]: 0.04}
SECONDS[NIGHT["steps"][NIGHT["long_step"]]] = 0.7
if IS_NEW and NIGHT["slower"]:
    SECONDS[NIGHT["worse"]] = 0.6
elif IS_NEW:
    FAILING[NIGHT["worse"]] = NIGHT["broken"]


def named(name: str, **options: Any) -> Task[Any, Any]:
    """One of the shop's tasks."""

    async def work(order: int, customer_id: int = 0, note: str = "") -> str:
        if order >= HELD:
            await asyncio.Event().wait()
        await asyncio.sleep(SECONDS.get(name, 0))
        if name in FAILING and not CALM.exists():
            raise type(FAILING[name]["error"], (Exception,), {"__module__": "shop"})(
                f"{FAILING[name]['message']} {order}"
            )
        return f"order {order} of customer {customer_id}: {note}"

    made: Task[Any, Any] = task(name=name, **options)(work)
    return made


WorkerSettings = worker_settings(
    redis_url=os.environ["REDIS_URL"],
    tasks=[*map(named, NIGHT["tasks"]), named(NIGHT["limited"], rate_limit="1/h")],
    queues=os.environ["NIGHT_QUEUES"].split(","),
    max_jobs=int(os.environ["NIGHT_SLOTS"]),
    version=VERSION,
    job_completion_wait=0,
    lease_renewal=1,
    poll_delay=0.2,
)
