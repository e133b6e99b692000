"""Django's tasks on Quarq: `django.tasks` of Django 6, or the package django-tasks. See docs/frameworks.md.

TASKS = {"default": {"BACKEND": "quarq_jobs.contrib.django_tasks.QuarqBackend", "OPTIONS": {"redis_url": "redis://..."}}}
"""

import inspect
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, Final

import django
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import close_old_connections
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from .. import errors
from ..client.connection import JobsRedis
from ..client.decorator import Task, task
from ..client.job_info import Attempt, JobInfo
from ..client.result import Result
from ..client.typed_workflows import Signature
from ..store import default
from ..tasks.blocking_calls import wait_for
from ..tasks.current import current_job
from ..values.exceptions import traceback_text
from ..worker import settings

try:
    from django.tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import TaskError
    from django.tasks.exceptions import TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
except ImportError:  # Django 4.2 to 5.2
    from django_tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import TaskError
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json

STATUS: Final = {"STARTED": "RUNNING", "SUCCESS": "SUCCESSFUL", "FAILURE": "FAILED", "REVOKED": "FAILED"}
"""State of a job -> Django's status; while it waits, for a retry too, it is READY."""
FAILED: Final[dict[str, type[BaseException]]] = {
    "FAILURE": errors.QuarqError, "RETRY": errors.Retry, "LOST": errors.WorkerLost, "REVOKED": errors.TaskRevoked,
}  # fmt: skip
"""Outcome of an attempt that failed -> what its exception was where its text is no traceback."""
_RAISED = re.compile(r"^(?:  .*\n)+([\w.]+)", re.MULTILINE)
"""The class in a traceback: the line after the last indented one."""
_declared: dict[tuple[str, str], tuple[Any, Task[Any, Any]]] = {}
"""Alias and path of each of Django's tasks -> it, and ours. Django lists them nowhere."""

_clients: dict[str, JobsRedis] = {}
"""By address, for the whole process: Django makes a backend for each thread, and for each request under ASGI."""


class QuarqBackend(BaseTaskBackend):  # type: ignore[misc]  # Any, where Django is not installed
    """`TASKS[alias]`, with the address of Redis as `redis_url` in its OPTIONS."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        self.served = list(params.get("QUEUES") or ["default"])
        if self.options.keys() != {"redis_url"}:
            raise ImproperlyConfigured(f"TASKS[{alias!r}]: OPTIONS has the key redis_url and no other")

    def validate_task(self, task: Any) -> None:
        super().validate_task(task)
        if (self.alias, task.module_path) not in _declared:
            _declared[self.alias, task.module_path] = task, _ours(task)

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        stored = wait_for("", "aenqueue", self._store, task, args, kwargs)
        task_enqueued.send(type(self), task_result=stored)
        return stored

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        stored = await self._store(task, args, kwargs)
        await sync_to_async(task_enqueued.send)(type(self), task_result=stored)
        return stored

    def get_result(self, result_id: str) -> Any:
        return wait_for("", "aget_result", self.aget_result, result_id)

    async def aget_result(self, result_id: str) -> Any:
        """TaskResultDoesNotExist too for a job of a task that no `tasks.py` of an installed application declares."""
        result: Result[Any] = Result(result_id, self._connection)
        try:
            info = await result.info()
        except errors.ResultUnknown as error:
            raise TaskResultDoesNotExist(result_id) from error
        if (self.alias, info.task) not in _declared:
            await sync_to_async(autodiscover_modules)("tasks")
        if (self.alias, info.task) not in _declared:
            raise TaskResultDoesNotExist(f"{result_id} is a job of {info.task}, which is no task of this backend")
        found = _result_of(_declared[self.alias, info.task][0], await self._call_of(result_id), info)
        if found.status == TaskResultStatus.SUCCESSFUL:
            object.__setattr__(found, "_return_value", await result.get())
        return found

    @property
    def _connection(self) -> JobsRedis:
        url = self.options["redis_url"]
        return default.winner() or _clients.get(url) or _clients.setdefault(url, JobsRedis.at(url))

    async def _store(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self.validate_task(task)
        args, kwargs = normalize_json(args), normalize_json(kwargs)
        options = {"queue": task.queue_name, **({"eta": task.run_after} if task.run_after else {})}
        result = await self._connection.submit(Signature(task.module_path, args, kwargs), options)
        return _new_result(task, result.id, args, kwargs, enqueued_at=timezone.now())

    async def _call_of(self, job_id: str) -> Any:
        """Its arguments are in the call, and once that is gone in the result."""
        key = self._connection.key
        stored = await self._connection.mget([key.JOB + job_id, key.RESULT + job_id])
        return next((self._connection.loads(call) for call in stored if call), {})


def worker_settings(alias: str = "default", **options: Any) -> type:
    """The settings of a worker that runs the tasks of `TASKS[alias]`: those in `tasks.py` of each installed
    application, and all others that are imported before. *options* are those of `quarq_jobs.worker_settings()`.
    """
    django.setup()
    autodiscover_modules("tasks")
    backend = task_backends[alias]
    own = [ours for (of, _), (_, ours) in _declared.items() if of == alias]
    given = {"queues": backend.served, **options, "tasks": [*own, *options.get("tasks", ())]}
    return settings.worker_settings(redis_url=backend.options["redis_url"], **given)


def _ours(of_django: Any) -> Task[Any, Any]:
    """The task that a worker runs for one of Django's: in a thread, with that thread's connections to databases. An
    `async def` has an event loop of its own there, as Django runs one outside of ASGI.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        with _running(of_django) as result:
            given = (TaskContext(task_result=result), *args[1:]) if of_django.takes_context else args
            return normalize_json(of_django.call(*given, **kwargs))

    signature = inspect.signature(of_django.func)
    update_wrapper(run, of_django.func, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    del run.__wrapped__  # type: ignore[attr-defined]  # it may be an `async def`
    # without annotations: Django's arguments stay JSON
    plain = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    run.__signature__ = inspect.Signature(plain)  # type: ignore[attr-defined]
    made: Callable[..., Any] = task(name=of_django.module_path, bind=of_django.takes_context)
    return made(run)  # type: ignore[no-any-return]


@contextmanager
def _running(of_django: Any) -> Iterator[Any]:
    """Sends Django's signals around a run, and closes its connections to databases as Django does after a request."""
    request, now = current_job().request, timezone.now()
    result = _new_result(
        of_django, str(request.id), request.args, request.kwargs, "RUNNING", started_at=now, last_attempted_at=now
    )
    result.worker_ids.extend([f"{socket.gethostname()}-{os.getpid()}"] * request.attempts)
    close_old_connections()
    try:
        task_started.send(QuarqBackend, task_result=result)
        yield result
    except Exception as error:
        result.errors.append(TaskError(exception_class_path=_path(type(error)), traceback=traceback_text(error)))
        _finished(result, "FAILED")
        raise
    else:
        _finished(result, "SUCCESSFUL")
    finally:
        close_old_connections()


def _finished(result: Any, status: str) -> None:
    object.__setattr__(result, "finished_at", timezone.now())
    object.__setattr__(result, "status", TaskResultStatus(status))
    task_finished.send(QuarqBackend, task_result=result)


def _new_result(
    of_django: Any, job_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], status: str = "READY", **times: Any
) -> Any:
    unknown = dict.fromkeys(("enqueued_at", "started_at", "last_attempted_at", "finished_at"))
    return TaskResult(
        task=of_django,
        id=job_id,
        status=TaskResultStatus(status),
        args=args,
        kwargs=kwargs,
        backend=of_django.backend,
        errors=[],
        worker_ids=[],
        **(unknown | times),
    )


def _result_of(of_django: Any, call: Mapping[str, Any], info: JobInfo) -> Any:
    """What the record of a job says, in Django's words."""
    started = info.history[0].started if info.history else info.started
    times = {"enqueued_at": info.enqueued, "started_at": started, "last_attempted_at": info.started}
    args, kwargs, status = call.get("a", []), call.get("k", {}), STATUS.get(info.state, "READY")
    result = _new_result(of_django, info.id, args, kwargs, status, finished_at=info.finished, **times)
    result.worker_ids.extend(attempt.worker for attempt in info.history)
    result.errors.extend(_error_of(attempt) for attempt in info.history if attempt.outcome in FAILED)
    return result


def _error_of(attempt: Attempt) -> Any:
    path = (_RAISED.findall(attempt.text) or [_path(FAILED[attempt.outcome])])[-1]
    return TaskError(exception_class_path=path if "." in path else f"builtins.{path}", traceback=attempt.text)


def _path(raised: type[BaseException]) -> str:
    return f"{raised.__module__}.{raised.__qualname__}"
