"""What some options of `worker_settings()` may be, and what to write in place of those that are not there."""

import contextlib
import inspect
import re
from collections.abc import Callable
from typing import Any

from arq.cron import CronJob
from arq.worker import func

from ..client.decorator import Task
from ..values import checks


def _makes_managers(function: Callable[..., Any]) -> bool:
    """Does it take a job and return an async context manager, as far as one can see without calling it?"""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    if isinstance(function, type):
        return hasattr(function, "__aenter__")
    is_bare = inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)
    return not is_bare and not inspect.isgeneratorfunction(inspect.unwrap(function))


def _is_address(text: str) -> bool:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})", text, re.ASCII)
    return found is not None and 0 < int(found[2]) < 2**16


def _of_arq(option: str, value: Any) -> Any:
    """A coroutine function, what `arq.worker.func()` makes, or the path of one."""
    with contextlib.suppress(Exception):
        if isinstance(value, str) or func(value):
            return value
    raise checks.refusal(TypeError, option, value, "functions of arq, `async def`; a task belongs in tasks=[...]")


_MANAGER = (
    "a function of one argument, the CurrentJob, that returns an async context manager: put "
    "@contextlib.asynccontextmanager above an async def with one yield"
)
_ADDRESS = "host:port, such as '127.0.0.1:9101' or '[::1]:9101'; '0.0.0.0:9101' is for every address"

around = checks.or_none(checks.narrowed(checks.function, _makes_managers, _MANAGER))
address = checks.or_none(checks.narrowed(checks.of_class(str, _ADDRESS), _is_address, _ADDRESS))
log_format = checks.narrowed(
    checks.of_class(str, "'text' or 'json'"), ("text", "json").__contains__, "'text' or 'json'"
)
tasks = checks.list_of(
    checks.of_class(Task, "tasks: put @task above the function; functions=[...] is for arq's"), "tasks"
)
functions = checks.list_of(_of_arq, "functions")
cron_jobs = checks.list_of(checks.of_class(CronJob, "crontab(...), every(...), or what arq.cron() makes"), "schedules")
queues = checks.narrowed(checks.names, lambda named: 0 < len(set(named)) == len(named), "a list of names, each once")
