"""The options of a worker that are ours, next to those of arq."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta, tzinfo
from typing import Any, Literal, TypedDict

from ..client.middleware import Around, AroundMiddleware, Middleware, with_automatic


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
    nice: int = 0
    """0 to 19: lets other processes of the machine, such as its web server, go first."""
    accept_pickle: bool = False
    """Run what arq pickled, for `functions` alone; everybody who can write to Redis can run any code then."""

    def around_runs(self) -> tuple[Middleware, ...]:
        own = [AroundMiddleware(self.around)] if self.around is not None else []
        return with_automatic([*self.middleware, *own])


class WorkerKeywords(TypedDict, total=False):
    """All options of `worker_settings()`, so that a type checker knows them: first those above, then arq's."""

    around: Around | None
    middleware: Sequence[Middleware]
    lease: float
    lease_renewal: float
    loop_stuck: float
    unknown_task_patience: float
    max_jobs_total: int | None
    max_memory: float | None
    health: str | None
    log_format: str
    nice: int
    accept_pickle: bool
    queue_name: str
    """A key of Redis, served before `queues`; arq's own callers write to `arq:queue`."""
    max_jobs: int
    """Jobs at a time; 100 unless given."""
    job_timeout: float | timedelta | None
    """The time limit of functions, 300 unless given; if given, of tasks without `time_limit`, too."""
    keep_result: float | timedelta | None
    """How long results of functions are kept, 3600 unless given; if given, of tasks without `result_expires`, too."""
    keep_result_forever: bool
    """The same without end."""
    max_tries: int
    """Runs of a function at most, 5 unless given; if given, tasks without `max_retries` have one retry less."""
    retry_jobs: bool
    """False: nothing runs again, not after a retry that it asks for nor after a shutdown. Workflows go on."""
    poll_delay: float
    """How often a worker looks without being woken, 2 unless given: only arq's own callers wake nobody."""
    job_completion_wait: float
    """How long a shutdown waits for running jobs, 25 unless given; then they are stopped, and wait again."""
    health_check_interval: float
    """How often the record is written that `arq --check` reads, 10 unless given."""
    health_check_key: str | None
    """The key of that record; None: the queue's, and `:health-check`."""
    burst: bool
    """End when no job is left."""
    max_burst_jobs: int
    """With `burst`: the most jobs that it runs; -1: no limit."""
    handle_signals: bool
    """SIGTERM and SIGINT shut down; False: they are the application's."""
    allow_abort_jobs: Literal[True]
    """Every job can be aborted: only True is taken."""
    log_results: bool
    """Show results in the log."""
    expires_extra_ms: int
    """Jobs that functions enqueue by `ctx["redis"]` expire so long after they are due, in ms."""
    timezone: tzinfo | str | None
    """The zone of schedules without one; None: UTC."""
    ctx: Mapping[Any, Any] | None
    """What `ctx` and `self.ctx` begin with."""
    on_startup: Callable[..., Any] | None
    """An `async def`, called with ctx before the first claim."""
    on_shutdown: Callable[..., Any] | None
    """An `async def`, called with ctx when no job runs any more."""
    on_job_start: Callable[..., Any] | None
    """Called with ctx before each job, plain or async, as the next two."""
    on_job_end: Callable[..., Any] | None
    """Called with ctx after each job, before its outcome is stored."""
    after_job_end: Callable[..., Any] | None
    """Called with ctx after each job, once its outcome is stored."""
    job_serializer: Callable[[Any], bytes] | None
    """Encodes calls and results in place of ours; `connect()` needs the same."""
    job_deserializer: Callable[[bytes], Any] | None
    """Decodes them."""


OWN_OPTIONS = frozenset(field.name for field in fields(WorkerOptions))
