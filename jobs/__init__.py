"""Background tasks, workflows and schedules for asyncio, on Redis: Celery's words, awaited.

A name is imported when it is first asked for: arq and redis-py take 100 ms, the half of workers 40 ms.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .values import library_name

library_name.refuse_two()

if TYPE_CHECKING:
    from . import schedules
    from .client import blocking
    from .client.connection import JobsRedis, connect, open_connection
    from .client.decorator import Task, send_task, signature, task
    from .client.events import wait_for_event
    from .client.fastest import first
    from .client.middleware import Middleware, OutgoingCall
    from .client.result import AsyncResult, Result
    from .client.typed_workflows import Signature, chain, chord, group
    from .contrib.json_lines import JsonLines

    from .errors import (  # isort: skip
        BadRedisURL, DoesNotFit, EncodingError, EventRefused, MaxRetriesExceeded, NotAwaited, NotConnected, NotRetried,
        NotUnique, QuarqError, QueueUnavailable, RemoteError, ResultUnknown, Retry, SettingsMistake,
        SoftTimeLimitExceeded, StepChanged, StepsFull, TaskRevoked, TimeLimitExceeded, TooLarge, UnknownSchedule,
        UnknownTask, WorkerLost, WrongValue,
    )  # fmt: skip
    from .monitor_site.application import monitor_app as monitor_app
    from .monitor_site.viewer import Viewer as Viewer
    from .schedules.schedule import crontab, every
    from .store.cancellation import cancel_until_ended
    from .store.redis_url import RedisURL
    from .tasks.current import CurrentJob, current_job
    from .tasks.limits import Limit
    from .tasks.unique import Unique
    from .values.shapes.shape import declare_type
    from .values.untrusted_text import PrintableRecords
    from .worker.settings import worker_settings

__all__ = [
    "AsyncResult", "BadRedisURL", "CurrentJob", "DoesNotFit", "EncodingError", "EventRefused", "JobsRedis", "JsonLines",
    "Limit", "MaxRetriesExceeded", "Middleware", "NotAwaited", "NotConnected", "NotRetried", "NotUnique",
    "OutgoingCall",
    "PrintableRecords", "QuarqError", "QueueUnavailable", "RedisURL", "RemoteError", "Result", "ResultUnknown",
    "Retry", "SettingsMistake", "Signature", "SoftTimeLimitExceeded", "StepChanged", "StepsFull",
    "Task", "TaskRevoked", "TimeLimitExceeded", "TooLarge", "Unique",
    "UnknownSchedule", "UnknownTask", "WorkerLost", "WrongValue", "blocking", "cancel_until_ended", "chain",
    "chord", "connect", "crontab", "current_job", "declare_type", "every", "first", "group", "open_connection",
    "schedules", "send_task", "signature", "task", "wait_for_event", "worker_settings",
]  # fmt: skip

_HOMES = {
    "client.blocking": ("blocking",),
    "client.connection": ("JobsRedis", "connect", "open_connection"),
    "client.decorator": ("Task", "send_task", "signature", "task"),
    "client.middleware": ("Middleware", "OutgoingCall"),
    "client.events": ("wait_for_event",),
    "client.fastest": ("first",),
    "client.result": ("AsyncResult", "Result"),
    "client.typed_workflows": ("Signature", "chain", "chord", "group"),
    "contrib.json_lines": ("JsonLines",),
    "monitor_site.application": ("monitor_app",),  # not in __all__: it needs the extra `monitor`
    "monitor_site.viewer": ("Viewer",),
    "schedules": ("schedules",),
    "schedules.schedule": ("crontab", "every"),
    "store.cancellation": ("cancel_until_ended",),
    "store.redis_url": ("RedisURL",),
    "tasks.current": ("CurrentJob", "current_job"),
    "tasks.unique": ("Unique",),
    "tasks.limits": ("Limit",),
    "values.shapes.shape": ("declare_type",),
    "values.untrusted_text": ("PrintableRecords",),
    "worker.settings": ("worker_settings",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
"""The module of each name but the exceptions, which are in `errors`."""

if not TYPE_CHECKING:  # a checker would take every name for one that exists

    def __getattr__(name: str) -> Any:
        if name not in __all__ and name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(f".{_HOME.get(name, 'errors')}", __name__)
        value = home if name in ("blocking", "schedules") else getattr(home, name)
        return globals().setdefault(name, value)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
