"""The options of a worker that are ours, next to those of arq."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

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


OWN_OPTIONS = frozenset(field.name for field in fields(WorkerOptions))
