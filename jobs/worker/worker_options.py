"""The options of a worker, ours and arq's, with what each may be; and what those of arq mean here: to arq's functions
what arq documents, to tasks the same or a refusal. Tasks are in arq's list of functions, of which a worker makes what
it can run, by name."""

import contextlib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta, tzinfo
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Final, Literal, TypedDict, get_type_hints

import arq.worker
from arq.cron import CronJob
from arq.utils import to_seconds
from arq.worker import func

from ..client.decorator import Task
from ..client.middleware import Around, AroundMiddleware, Middleware, check_middleware, with_automatic
from ..client.submit import WORKFLOW_TASKS
from ..errors import SettingsMistake, UnknownTask
from ..schedules.schedule import Schedule
from ..store import keys
from ..tasks import registry
from ..values import checks
from ..values.calls import other_names
from .execution.runnables import Runnable, TaskRunnable


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

_AROUND = checks.or_none(checks.narrowed(checks.function, _makes_managers, _MANAGER))
_HEALTH = checks.or_none(checks.narrowed(checks.of_class(str, _ADDRESS), _is_address, _ADDRESS))
_FORMAT = checks.narrowed(checks.of_class(str, "'text' or 'json'"), ("text", "json").__contains__, "'text' or 'json'")
_VERSION = checks.or_none(checks.narrowed(checks.name, lambda text: len(text) <= 100, "at most 100 characters"))
_TASK = checks.of_class(Task, "tasks: put @task above the function; functions=[...] is for arq's")
_SCHEDULE = checks.narrowed(
    checks.of_class(CronJob, "crontab(...), every(...), or what arq.cron() makes"),
    lambda one: not isinstance(one, Schedule) or one.task,
    "the task that is due then: crontab(task, ...), every(task, ...)",
)
_QUEUES = checks.narrowed(checks.names, lambda named: 0 < len(set(named)) == len(named), "a list of names, each once")
_HOOK = checks.or_none(checks.function)
_SECONDS = partial(checks.seconds, least=0)
_ABOVE_0 = partial(checks.seconds, least=checks.LEAST_SECONDS)


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What `worker_settings()` takes besides arq's options, handed on as it is. Times in seconds."""

    queues: Sequence[str] = ()
    """Served in this order; without any, arq's `queue_name` is."""
    around: Around | None = None
    """A function that is given the CurrentJob and returns an async context manager; the code of each task runs in it.
    `@asynccontextmanager` above `async def around(job)` with one `yield` makes one."""
    middleware: Sequence[Middleware] = ()
    """Objects of subclasses of Middleware, the outermost first; `around` is within them all. `run` is around the
    code of each task, `send` around the calls that tasks make."""
    lease: float = 15
    """How long jobs are held without a sign of life from their worker."""
    lease_renewal: float = 5
    """How often that sign is given."""
    loop_stuck: float = 60
    """How long the event loop may be blocked before the process ends itself."""
    unknown_task_patience: float = 3600
    """How long a job waits for a worker that knows its task."""
    max_jobs_total: int | None = None
    """The worker ends after it has started this many jobs, once they have ended; its supervisor starts another."""
    max_memory: float | None = None
    """In MB: the worker ends, as above, once its process takes more."""
    health: str | None = None
    """`host:port`, where it answers /healthz, /readyz, /metrics and /scale: see docs/kubernetes.md."""
    log_format: str = "text"
    """text or json."""
    version: str | None = None
    """What the application calls this state of its code; else `JOBS_VERSION` or `SENTRY_RELEASE` of the environment."""
    nice: int = 0
    """0 to 19: lets other processes of the machine, such as its web server, go first."""
    accept_pickle: bool = False
    """Run what arq pickled, for `functions` alone; everybody who can write to Redis can run any code then."""

    def around_runs(self) -> tuple[Middleware, ...]:
        own = [AroundMiddleware(self.around)] if self.around is not None else []
        return with_automatic([*self.middleware, *own])


class WorkerKeywords(TypedDict, total=False):
    """All options of `worker_settings()`, so that a type checker knows them: first those above, then arq's.
    Next to its type is what checks the value."""

    around: Annotated[Around | None, _AROUND]
    middleware: Annotated[Sequence[Middleware], check_middleware]
    lease: Annotated[float, _ABOVE_0]
    lease_renewal: Annotated[float, _ABOVE_0]
    loop_stuck: Annotated[float, _ABOVE_0]
    unknown_task_patience: Annotated[float, _SECONDS]
    max_jobs_total: Annotated[int | None, checks.or_none(checks.count, least=1)]
    max_memory: Annotated[float | None, checks.or_none(checks.number, least=0.1)]
    health: Annotated[str | None, _HEALTH]
    log_format: Annotated[str, _FORMAT]
    version: Annotated[str | None, _VERSION]
    nice: Annotated[int, partial(checks.count, most=19)]
    accept_pickle: Annotated[bool, checks.flag]
    queue_name: Annotated[str, keys.checked_queue_key]
    """A key of Redis, served before `queues`; arq's own callers write to `arq:queue`."""
    max_jobs: Annotated[int, partial(checks.count, least=1, most=100_000)]
    """Jobs at a time; 100 unless given."""
    job_timeout: Annotated[float | timedelta | None, checks.or_none(_SECONDS)]
    """The time limit of functions, 300 unless given; if given, of tasks without `time_limit`, too."""
    keep_result: Annotated[float | timedelta | None, checks.or_none(_SECONDS)]
    """How long results of functions are kept, 3600 unless given; if given, of tasks without `result_expires`, too."""
    keep_result_forever: Annotated[bool, checks.flag]
    """The same without end."""
    max_tries: Annotated[int, partial(checks.count, least=1)]
    """Runs of a function at most, 5 unless given; if given, tasks without `max_retries` have one retry less."""
    retry_jobs: Annotated[bool, checks.flag]
    """False: nothing runs again, not after a retry that it asks for nor after a shutdown. Workflows go on."""
    poll_delay: Annotated[float, _ABOVE_0]
    """How often a worker looks without being woken, 2 unless given: only arq's own callers wake nobody."""
    job_completion_wait: Annotated[float, _SECONDS]
    """How long a shutdown waits for running jobs, 25 unless given; then they are stopped, and wait again."""
    health_check_interval: Annotated[float, _ABOVE_0]
    """How often the record is written that `arq --check` reads, 10 unless given."""
    health_check_key: Annotated[str | None, checks.or_none(checks.name)]
    """The key of that record; None: the queue's, and `:health-check`."""
    burst: Annotated[bool, checks.flag]
    """End when no job is left."""
    max_burst_jobs: Annotated[int, partial(checks.count, least=-1)]
    """With `burst`: the most jobs that it runs; -1: no limit."""
    handle_signals: Annotated[bool, checks.flag]
    """SIGTERM and SIGINT shut down; False: they are the application's."""
    allow_abort_jobs: Annotated[Literal[True], checks.narrowed(checks.flag, bool, "True: every job can be aborted")]
    """Every job can be aborted: only True is taken."""
    log_results: Annotated[bool, checks.flag]
    """Show results in the log."""
    expires_extra_ms: Annotated[int, checks.count]
    """Jobs that functions enqueue by `ctx["redis"]` expire so long after they are due, in ms."""
    timezone: Annotated[tzinfo | str | None, checks.or_none(checks.zone)]
    """The zone of schedules without one; None: UTC."""
    ctx: Annotated[Mapping[Any, Any] | None, checks.or_none(checks.mapping)]
    """What `ctx` and `self.ctx` begin with."""
    on_startup: Annotated[Callable[..., Any] | None, _HOOK]
    """Called with ctx before the first claim, plain or async."""
    on_shutdown: Annotated[Callable[..., Any] | None, _HOOK]
    """Called with ctx when no job runs any more, plain or async."""
    on_job_start: Annotated[Callable[..., Any] | None, _HOOK]
    """Called with ctx before each job, plain or async, as the next two."""
    on_job_end: Annotated[Callable[..., Any] | None, _HOOK]
    """Called with ctx after each job, before its outcome is stored."""
    after_job_end: Annotated[Callable[..., Any] | None, _HOOK]
    """Called with ctx after each job, once its outcome is stored."""
    job_serializer: Annotated[Callable[[Any], bytes] | None, _HOOK]
    """Encodes calls and results in place of ours; `connect()` needs the same."""
    job_deserializer: Annotated[Callable[[bytes], Any] | None, _HOOK]
    """Decodes them."""


OWN_OPTIONS = frozenset(field.name for field in fields(WorkerOptions))
CHECKS: Final[Mapping[str, checks.Check]] = {
    **{name: hint.__metadata__[0] for name, hint in get_type_hints(WorkerKeywords, include_extras=True).items()},
    "tasks": checks.list_of(_TASK, "tasks"),
    "functions": checks.list_of(_of_arq, "functions"),
    "cron_jobs": checks.list_of(_SCHEDULE, "schedules"),
    "queues": _QUEUES,
}


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are meant; SettingsMistake: one that does not exist, or with a value that it cannot have."""
    meant: dict[str, Any] = {}
    for option, value in options.items():
        if option not in CHECKS:
            hint = other_names().OF_WORKERS.get(option.removeprefix("worker_")) or checks.hint(option, [*CHECKS])
            raise SettingsMistake(f"worker_settings() has no option {option!r}; {hint}")
        with checks.as_settings_mistake():
            meant[option] = CHECKS[option](option, value)
    if meant.get("accept_pickle") and (meant.get("job_serializer") or meant.get("job_deserializer")):
        why = "it is for projects without a job_serializer, whose jobs arq pickles; remove the one or the other"
        raise SettingsMistake(f"accept_pickle=True: {why}")
    lease, renewal = meant.get("lease", WorkerOptions.lease), meant.get("lease_renewal", WorkerOptions.lease_renewal)
    if renewal >= lease:
        raise SettingsMistake(f"lease_renewal={renewal:g}: give less than the lease, {lease:g} s, or leases end")
    return meant


OF_THE_CONNECTION: Final = ("job_serializer", "job_deserializer", "expires_extra_ms", "middleware")
"""Options that the worker's connection takes, which is `ctx["redis"]`."""


def arq_format() -> Any:
    """The module for what arq pickled, of a worker with `accept_pickle=True`."""
    return import_module("..contrib.pickled", __package__)


@dataclass
class TaskFunction(arq.worker.Function):
    """What `arq.worker.func()` makes of a coroutine, made of a Task."""

    task: Task[Any, Any] = None  # type: ignore[assignment]  # dataclass fields after defaults need one


def as_functions(tasks: Iterable[Task[Any, Any]]) -> list[TaskFunction]:
    """The arq functions that run *tasks*, by their names and aliases."""
    return [
        TaskFunction(name, task.run, task.options.time_limit, task.options.result_expires, False, None, task)  # type: ignore[arg-type]
        for task in tasks
        for name in (task.name, *task.options.aliases)
    ]


def runnables(
    worker: arq.worker.Worker, middleware: Sequence[Middleware], given: Mapping[str, Any]
) -> Iterator[tuple[str, Runnable]]:
    """The tasks, functions and cron jobs that *worker* was given, besides the options *given*."""
    for name, function in worker.functions.items():
        if isinstance(function, TaskFunction):
            yield name, _of_task(function.task, middleware, given)
        elif isinstance(function, Schedule):  # it calls a task, and may bear its name
            try:
                task = registry.lookup(function.task)
            except UnknownTask as error:
                raise SettingsMistake(f"schedule {name!r}: {error}") from None
            if isinstance(task, Task):
                yield function.task, _of_task(task, middleware, given)
        else:
            yield name, import_module("..contrib.arq_functions", __package__).ArqRunnable(function, worker)


def _of_task(task: Task[Any, Any], middleware: Sequence[Middleware], given: Mapping[str, Any]) -> TaskRunnable:
    """The options of arq hold where a task does not say otherwise itself. With `retry_jobs=False` no job is run again:
    what asks for a retry has failed, and so has a job that a shutdown stops. A workflow is no job of the application's.
    """
    keep_result_s = math.inf if given.get("keep_result_forever") else to_seconds(given.get("keep_result"))
    if task.name in WORKFLOW_TASKS:
        return TaskRunnable(task, middleware, keep_result_s)
    defaults: dict[str, Any] = {}
    if given.get("job_timeout"):
        defaults["time_limit"] = to_seconds(given["job_timeout"])
    if "max_tries" in given:
        defaults["max_retries"] = given["max_tries"] - 1
    missing = {name: value for name, value in defaults.items() if name not in task.given}
    task = task.with_options(**missing) if missing else task
    return TaskRunnable(task, middleware, keep_result_s, given.get("retry_jobs", True))
