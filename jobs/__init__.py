"""Background tasks, workflows and schedules for asyncio, on Redis: Celery's words, awaited."""

from .client.connection import JobsRedis, connect
from .client.decorator import Task, send_task, signature, task
from .client.middleware import Middleware, OutgoingCall
from .client.result import AsyncResult, Result, first
from .client.typed_workflows import Signature, chain, chord, group

from .errors import (  # isort: skip
    BadRedisURL, EncodingError, MaxRetriesExceeded, NotAwaited, NotConnected, NotRetried, QuarqError,
    QueueUnavailable, RemoteError, ResultUnknown, Retry, SettingsMistake, SoftTimeLimitExceeded, TaskRevoked,
    TimeLimitExceeded, TooLarge, UnknownSchedule, UnknownTask, WorkerLost, WrongValue,
)  # fmt: skip
from .schedules.schedule import crontab, every
from .store.cancellation import cancel_until_ended
from .store.redis_url import RedisURL
from .tasks.current import CurrentJob, current_job
from .values.untrusted_text import PrintableRecords
from .worker.json_log import JsonLines
from .worker.settings import worker_settings

__all__ = [
    "AsyncResult", "BadRedisURL", "CurrentJob", "EncodingError", "JobsRedis", "JsonLines",
    "MaxRetriesExceeded", "Middleware", "NotAwaited", "NotConnected", "NotRetried", "OutgoingCall",
    "PrintableRecords", "QuarqError", "QueueUnavailable", "RedisURL", "RemoteError", "Result", "ResultUnknown",
    "Retry", "SettingsMistake", "Signature", "SoftTimeLimitExceeded", "Task", "TaskRevoked", "TimeLimitExceeded",
    "TooLarge", "UnknownSchedule", "UnknownTask", "WorkerLost", "WrongValue", "cancel_until_ended", "chain", "chord",
    "connect", "crontab", "current_job", "every", "first", "group", "send_task", "signature", "task",
    "worker_settings",
]  # fmt: skip
