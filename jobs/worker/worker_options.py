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
    """Objects of subclasses of jobs.Middleware, the outermost first; `around` is within them all. `run` is around the
    code of each task, `send` around the calls that tasks make."""
    lease: float = 15
    """How long jobs are held without a sign of life from their worker."""
    lease_renewal: float = 5
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
    max_jobs: int
    job_timeout: float | timedelta | None
    keep_result: float | timedelta | None
    keep_result_forever: bool
    max_tries: int
    retry_jobs: bool
    poll_delay: float
    job_completion_wait: float
    health_check_interval: float
    health_check_key: str | None
    burst: bool
    max_burst_jobs: int
    handle_signals: bool
    allow_abort_jobs: Literal[True]
    log_results: bool
    expires_extra_ms: int
    timezone: tzinfo | str | None
    ctx: Mapping[Any, Any] | None
    on_startup: Callable[..., Any] | None
    on_shutdown: Callable[..., Any] | None
    on_job_start: Callable[..., Any] | None
    on_job_end: Callable[..., Any] | None
    after_job_end: Callable[..., Any] | None
    job_serializer: Callable[[Any], bytes] | None
    job_deserializer: Callable[[bytes], Any] | None


OWN_OPTIONS = frozenset(field.name for field in fields(WorkerOptions))
