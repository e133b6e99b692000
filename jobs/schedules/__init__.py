"""`from jobs import schedules`: schedules as data. Put one, change it, list, pause, run and delete them, at any time.

    await schedules.put("report:42", report.s(42), crontab("0 8 * * 1-5", timezone="Europe/Berlin"), overlap="skip")

They are in Redis, and any worker fires them. Those that workers declare in their `cron_jobs` are listed, paused and run
in the same way. In plain code: `schedules.blocking.put(...)`.
"""

import builtins
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any, Literal, TypeAlias

from ..store import default
from ..store.schedule_ids import job_id
from ..tasks.blocking_calls import wait_for
from ..values.calls import awaited
from .schedule import Schedule
from .schedule_info import ScheduleInfo

Overlap: TypeAlias = Literal["skip", "queue", "cancel"]
__all__ = ["ScheduleInfo", "backfill", "blocking", "delete", "get", "job_id", "list", "pause", "put", "resume", "run"]


def _stored() -> Any:  # what does it is imported when somebody asks
    return import_module("..monitor_site.model.stored_schedules", __name__)


@awaited
async def put(
    name: str, call: Any, when: Schedule, *, overlap: Overlap | None = None, jitter: float | timedelta = 0
) -> datetime:
    """Call *call*, a signature or a workflow, at the moments *when*; returns the first one. A schedule of that name is
    changed: with the same moments as before none is lost, and putting it twice is putting it once.

    *when*: `crontab(...)` or `every(...)` without a task; its `window` says how late a missed moment still runs.
    *overlap*: what happens at a moment while the last run has not ended. None: both run. "skip": this one does not run.
    "queue": it runs after the last, and stands for those that pass meanwhile. "cancel": the last one is stopped.
    *jitter*: each moment fires at most that many seconds late, always as many, and before the next one.
    TypeError, WrongValue, EncodingError: what of it cannot be stored; nothing is.
    """
    putting = import_module("..contrib.putting", __name__)
    return await putting.put(default.current(), name, call, when, overlap, jitter)  # type: ignore[no-any-return]


@awaited
async def list(*, containing: str = "", start: int = 0, most: int | None = None) -> builtins.list[ScheduleInfo]:
    """All of them: those that workers declare by name, then the stored ones, the next one first. *most* of
    them from *start* on, and only those with *containing* in their names."""
    return await _stored().schedules(default.current(), containing=containing, start=start, most=most)  # type: ignore[no-any-return]


@awaited
async def get(name: str) -> ScheduleInfo:
    """One of them; UnknownSchedule: there is none of that name."""
    return await _stored().get_schedule(default.current(), name)  # type: ignore[no-any-return]


@awaited
async def pause(name: str) -> None:
    """Its moments pass without a run, until it is resumed; one that runs goes on."""
    await _stored().pause_schedule(default.current(), name)


@awaited
async def resume(name: str) -> None:
    """The next moment fires again; those that passed meanwhile are not made up for."""
    await _stored().resume_schedule(default.current(), name)


@awaited
async def delete(name: str) -> bool:
    """Its moments fire no more; what it has called stays. False if there is none. WrongValue: a worker declares it."""
    return await _stored().delete_schedule(default.current(), name)  # type: ignore[no-any-return]


@awaited
async def run(name: str) -> str:
    """Run it now, paused or not, and return the id of the job; its moments stay as they are."""
    return await _stored().run_schedule(default.current(), name)  # type: ignore[no-any-return]


@awaited
async def backfill(name: str, since: datetime, until: datetime) -> builtins.list[str]:
    """Run it now for each moment from *since* to *until* for which it has not run; returns the ids of the jobs. The
    second time it does nothing, as long as the jobs are known. Overlap, window and jitter do not count.
    WrongValue: more than 10,000 moments, or *until* is to come."""
    return await _stored().backfill_schedule(default.current(), name, since, until)  # type: ignore[no-any-return]


class _Blocking:
    """The same verbs for plain code, which waits at each call."""

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in __all__:
            raise AttributeError(verb)
        return partial(wait_for, "schedules", verb, globals()[verb])


blocking = _Blocking()
