"""The same jobs on a worker of Quarq: `arq shop.exchange.WorkerSettings`."""

import os

from jobs import worker_settings

from .worker import WorkerSettings as Before

WorkerSettings = worker_settings(
    redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
    accept_pickle=True,
    functions=Before.functions,
    cron_jobs=Before.cron_jobs,
    queue_name=Before.queue_name,
    on_startup=Before.on_startup,
    on_shutdown=Before.on_shutdown,
    on_job_start=Before.on_job_start,
    after_job_end=Before.after_job_end,
    max_jobs=Before.max_jobs,
    max_tries=Before.max_tries,
    job_timeout=Before.job_timeout,
    keep_result=Before.keep_result,
    poll_delay=Before.poll_delay,
    health_check_interval=Before.health_check_interval,
    health_check_key=Before.health_check_key,
)
