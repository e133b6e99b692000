"""Background tasks, workflows and schedules for asyncio, on Redis: Celery's words, awaited."""

from jobs.client.by_name import send_task, signature
from jobs.client.connection import JobsRedis, connect
from jobs.client.decorator import Task, task
from jobs.client.result import AsyncResult, Result, first
from jobs.errors import BadRedisURL, QueueUnavailable
from jobs.schedules.schedule import crontab, every
from jobs.store.cancellation import cancel_until_ended
from jobs.store.redis_url import RedisURL
from jobs.tasks.current import CurrentJob, current_job
from jobs.values.untrusted_text import PrintableRecords
from jobs.worker.json_log import JsonLines
from jobs.worker.settings import worker_settings
from jobs.workflows.canvas import Signature, chain, chord, group

__all__ = [
    "AsyncResult", "BadRedisURL", "CurrentJob", "JobsRedis", "JsonLines", "PrintableRecords",
    "QueueUnavailable", "RedisURL", "Result", "Signature", "Task", "cancel_until_ended", "chain", "chord",
    "connect", "crontab", "current_job", "every", "first", "group", "send_task", "signature", "task",
    "worker_settings",
]  # fmt: skip
