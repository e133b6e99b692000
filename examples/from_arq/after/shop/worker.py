"""The worker: `arq shop.worker.WorkerSettings`; `arq --check shop.worker.WorkerSettings` says whether one lives."""

import os
from datetime import timedelta

from jobs import every, worker_settings

from . import tasks

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


async def startup(ctx):
    ctx["currency"] = "EUR"


WorkerSettings = worker_settings(
    redis_url=REDIS_URL,
    tasks=[
        tasks.send_receipt,
        tasks.charge,
        tasks.export,
        tasks.import_catalogue,
        tasks.import_page,
        tasks.sweep_carts,
    ],
    cron_jobs=[every(tasks.sweep_carts, timedelta(seconds=1))],
    queue_name="shop:jobs",  # calls in arq's queue are still run
    queues=["default"],  # tasks are called here
    on_startup=startup,
    max_jobs=20,
    job_timeout=30,
    keep_result=3600,
    health_check_key="shop:health",
)
