"""Names of Celery and arq that are not there, and what to write instead: read when somebody has written one."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..values import checks
from ..values.library_name import COMMAND

MOST_SHOWN = 5  # Parameters, where a call has too many.
_OF_ARQ: Final = {"job_id": "task_id", "queue_name": "queue", "defer_by": "countdown", "defer_until": "eta"}
OF_BLOCKING: Final = frozenset({"first", "send_task"})  # Functions that `jobs.blocking` has, too.
OF_CALLS: Final = {
    **{
        f"{mark}{option}": f"use apply_async(..., {ours}=...)" for option, ours in _OF_ARQ.items() for mark in ("", "_")
    },
    "acks_on_failure_or_timeout": f"leave it out: a job that failed has ended, and `{COMMAND} retry` runs it again",
    "after_return": "use on_success= and on_failure=",
    "base": "there is no class of tasks: task = partial(task, on_failure=...) gives tasks the same options, "
    "and worker_settings(around=...) runs code around each",
    "before_start": "use worker_settings(around=...), or code at the start of the task",
    "compression": "nothing is compressed; a large argument belongs in a database or a file",
    "connection": "use `async with connect(url):`",
    "exchange": "use queue=",
    "keep_result": "use @task(result_expires=...)",
    "max_tries": "use @task(max_retries=...), which is one less",
    "priority": "use queues: worker_settings(queues=['urgent', 'default']) serves the first before the second",
    "producer": "use `async with connect(url):`",
    "reject_on_worker_lost": "leave it out: with acks_late=True, the default, a job whose worker died runs again",
    "retry": "leave it out: a call waits for Redis by itself, and then raises QueueUnavailable",
    "retry_kwargs": "use max_retries= and default_retry_delay=",
    "retry_on_worker_lost": "leave it out: with acks_late=True, the default, a job whose worker died runs again",
    "retry_policy": "leave it out: a call waits for Redis by itself, and then raises QueueUnavailable",
    "routing_key": "use queue=",
    "send_events": f"leave it out: `{COMMAND} events` shows what happens at any time",
    "serializer": "leave it out: every call and result is msgpack",
    "shadow": "leave it out: a task has one name, and others by aliases=",
    "store_errors_even_if_ignored": "leave it out: errors are always stored",
    "throws": "use raises=",
    "timeout": "use time_limit=",
    "track_started": "leave it out: STARTED is always stored",
    "trail": "leave it out: Result.children() is always known",
    "typing": "leave it out: arguments are always checked",
}
"""Options of tasks and of calls that have no place here."""

_REDIS: Final = "write redis_url='redis://user:password@host:6379/0' (rediss:// for TLS)"
OF_WORKERS: Final = {
    "beat_schedule": "use cron_jobs=[crontab(...), every(...)]",
    "broker_url": "use redis_url=",
    "concurrency": "use max_jobs=: jobs that run at the same time, of any kind",
    "imports": "use tasks=[...]",
    "include": "use tasks=[...]",
    "max_memory_per_child": "use max_memory=, in MB",
    "max_tasks_per_child": "use max_jobs_total=",
    "prefetch_multiplier": "leave it out: a worker claims no more than it has room for",
    "queue_read_limit": "leave it out: a worker claims for at most half of its slots at a time",
    "redis_pool": _REDIS,
    "redis_settings": _REDIS,
    "result_backend": "leave it out: results are in redis_url=, too",
    "result_expires": "use keep_result=, or @task(result_expires=...)",
    "task_acks_late": "leave it out: @task(acks_late=True) is the default",
    "task_always_eager": "use eager() of the module testing in tests",
    "task_default_queue": "give it to the task: @task(queue=...)",
    "task_routes": "give each task its queue: @task(queue=...)",
    "task_time_limit": "use job_timeout=, or @task(time_limit=...)",
}
"""Options of arq, and settings of Celery, without `worker_`, that a worker does not have."""

_OWN_ARGUMENTS: Final = "leave it out: the job runs again with the arguments that it has; for others, call the task"
OF_FUNCTIONS: Final = {
    "args": _OWN_ARGUMENTS,
    "day": "use day_of_month=",
    "kwargs": _OWN_ARGUMENTS,
    "interval": "leave it out: it hears of the end at once",
    "max_retries": "give it to @task(max_retries=...)",
    "queue": "give it to @task(queue=...), or to the call: apply_async(..., queue=...)",
    "month": "use month_of_year=",
    "schedule": "write crontab(task, minute=0), or every(task, timedelta(minutes=5))",
    "second": "write every(task, timedelta(seconds=20))",
    "signal": "leave it out: terminate=True stops it",
    "state": "leave it out: a report is what meta= says",
    "weekday": "use day_of_week=: 0 is Sunday, 6 Saturday",
    "throw": "write raise self.retry(...)",
}
"""Options of functions that do not have them."""

_OF_RESULTS: Final = {
    **dict.fromkeys(("result", "join", "join_native", "maybe_throw", "wait"), "write `get()`"),
    **dict.fromkeys(("collect", "iterate"), "write `as_completed()`"),
    **dict.fromkeys(("queue", "retries", "worker"), "`info()` has it"),
    "date_done": "write `info()`, whose `finished` it is",
    "name": "write `info()`, whose `task` it is",
    "parent": "a chain has one result of its own, whose `children()` are the steps",
    "results": "write `children()`",
    "task_id": "write `id`",
    "traceback": "write `info()`: its `history` has that of every attempt",
}
ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    **dict.fromkeys(("Result", "BlockingResult"), _OF_RESULTS),
    "Request": {
        **dict.fromkeys(("correlation_id", "task_id"), "write `id`"),
        "delivery_info": "write `queue`",
        "is_eager": "write `called_directly`",
    },
    "CurrentJob": {
        **{verb: f"write `self.task.{verb}(...)`" for verb in ("apply_async", "delay", "s", "si", "signature")},
        "MaxRetriesExceededError": "it is the exception MaxRetriesExceeded of the library",
        "max_retries": "write `self.task.options.max_retries`",
    },
    "Task": {
        "AsyncResult": "write `result(id)`",
        "apply": "`await` the task itself, called as a function, or use eager() in tests",
        **dict.fromkeys(("request", "retry", "update_state"), "give the task bind=True: its `self` has it"),
        "max_retries": "write `options.max_retries`",
    },
}
"""Of a class: what Celery's has, and what to write here."""


def refuse_wrong_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """TypeError if *function* cannot be called so: it names the option that was meant, or what it has to be given."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        why = str(error)
    else:
        return
    name = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    for option in kwargs:
        if option not in named and not any(one.kind is one.VAR_KEYWORD for one in parameters):
            instead = OF_FUNCTIONS.get(option) or checks.hint(option, named)
            raise TypeError(f"{name}() has no option {option!r}; {instead}") from None
    needed = [one for one in parameters if one.default is one.empty and one.name in named]
    is_whole = why.startswith("too many") and len(parameters) <= MOST_SHOWN
    form = ", ".join([*map(_written, parameters if is_whole else needed), *["..."][is_whole:]])
    tasks = [one for one in args if callable(getattr(one, "s", None))] if "call" in signature.parameters else []
    instead = "".join(f", and {one.__name__}.s(...) for {one.__name__} and its arguments" for one in tasks[:1])
    raise TypeError(f"{name}(): {why}; write {name}({form}){instead}") from None


def _written(parameter: inspect.Parameter) -> str:
    """How a call gives it."""
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    is_place = parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
    return parameter.name if is_place else f"{parameter.name}=..."


def instead_of_awaiting(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """What a plain `def` task writes in place of a call of *function*, an `async def` of ours."""
    verb = function.__name__
    owner = getattr(args[0], "blocking", None) if args else None
    if owner is not None and hasattr(owner, verb):
        return f"write `{owner.shown}.blocking.{verb}(...)`"
    if verb in OF_BLOCKING:
        return f"write `blocking.{verb}(...)`"
    own = "make it `async def` and write `await ...`, or give asyncio.run() an `async def` of your own that awaits it"
    return f"move the code that both need into a plain function, or {own}" if verb == "__call__" else own


def no_attribute(obj: object, name: str) -> AttributeError:
    """The error of an attribute that is missing."""
    kind = next((cls.__name__ for cls in type(obj).__mro__ if cls.__name__ in ATTRIBUTES), type(obj).__name__)
    hint = ATTRIBUTES.get(kind, {}).get(name, "")
    why = f"{kind!r} object has no attribute {name!r}" + (f": {hint}" if hint else "")
    return AttributeError(why, name=name, obj=obj)
