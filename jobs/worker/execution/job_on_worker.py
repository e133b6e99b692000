"""What a task is given as the job that it runs in, on a worker."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...tasks.call_options import check_headers
from ...tasks.current import CurrentJob, Request
from ...tasks.registry import RegisteredTask
from .claimed_job import CallData, ClaimedJob

if TYPE_CHECKING:
    from .held_job import HeldJob


class JobOnWorker(CurrentJob):
    """A CurrentJob whose parts are made when they are first asked for: most tasks ask for none."""

    def __init__(self, task: RegisteredTask, held: "HeldJob") -> None:
        self.task = task
        self.name = task.name
        self._held = held

    def __getattr__(self, name: str) -> Any:
        if name not in _PARTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        part = _PARTS[name](self._held)
        setattr(self, name, part)
        return part

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call = self.request if "request" in vars(self) else self._held.call  # a middleware may have set another
        return call.args, call.kwargs

    def checked_headers(self) -> Mapping[str, str]:
        """What its callbacks inherit; TypeError or WrongValue if its code left there what is none."""
        if "headers" not in vars(self):
            return self._held.call.headers
        return check_headers("self.headers", self.headers)


_PARTS: dict[str, Callable[["HeldJob"], Any]] = {
    "request": lambda held: request_of(held.job, held.call),
    "headers": lambda held: dict(held.call.headers),
    "ctx": lambda held: held.ctx,
    "clock": lambda held: held.job.now_s,
    "executor": lambda held: held.executor,
    "report": lambda held: held.report,
    "without_slot": lambda held: held.slot.free_while,
}


def request_of(job: ClaimedJob, call: CallData) -> Request:
    """The request that a task sees."""
    own = (job.retries, job.attempts, job.crashes, job.queue, job.due)
    return Request(job.id, call.task, call.args, call.kwargs, *own, called_directly=False, headers=call.headers)
