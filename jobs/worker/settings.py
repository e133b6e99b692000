"""`worker_settings()`: the class that arq's command line takes, and has our Worker run."""

import inspect
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Unpack

import arq
import arq.cli
import arq.worker
from arq.cron import CronJob
from arq.worker import func

from ..client.connection import JobsRedis
from ..client.decorator import Task
from ..client.events import wait_for_event
from ..errors import SettingsMistake
from ..schedules.schedule import Schedule, crontab
from ..store import keys
from ..store.redis_url import RedisURL
from ..values.calls import explained
from .builtin_tasks import bulk_run, map_items, starmap_items
from .log_setup import log_config
from .orchestrator import workflow
from .worker import Worker
from .worker_options import OF_THE_CONNECTION, WorkerKeywords, WorkerOptions, arq_format, as_functions, checked


@explained
def worker_settings(
    *,
    redis_url: str,
    tasks: Iterable[Task[Any, Any]] = (),
    cron_jobs: Sequence[CronJob] = (),
    functions: Sequence[Any] = (),
    queues: Sequence[str] | None = None,
    **options: Unpack[WorkerKeywords],
) -> type:
    """The settings of a worker, for `arq module.WorkerSettings`.

    *tasks* are ours, *functions* arq's; *queues* are served in the order given, the first always before the second
    (default: `default`). arq's `queue_name=` is a key of Redis, served before them; without *queues* it alone.
    WorkerKeywords has the other options.

    SettingsMistake: an option that does not exist, or a value that it cannot have.
    """
    use_our_worker()
    lists: dict[str, Any] = {"tasks": tasks, "functions": functions, "cron_jobs": cron_jobs}
    if queues is not None or "queue_name" not in options:
        lists["queues"] = ["default"] if queues is None else queues
    given = checked({**lists, **options})
    of_arq = [keys.NO_PREFIX.queue_name(given["queue_name"])] if "queue_name" in given else []
    served = [*of_arq, *given.get("queues", ())]
    key = keys.NO_PREFIX.queue_key(served[0])
    zone = given.get("timezone")
    schedules = [job.in_zone(zone) if zone and isinstance(job, crontab) else job for job in given["cron_jobs"]]
    ours = as_functions((*given.pop("tasks"), workflow, map_items, starmap_items, bulk_run, wait_for_event))
    runs = [*ours, *given["functions"]]
    _refuse_namesakes(runs, schedules)
    connection = {name: given[name] for name in OF_THE_CONNECTION if name in given}
    client = arq_format().PicklingRedis if given.get("accept_pickle") else JobsRedis
    attributes = {
        **{"max_jobs": 100, "poll_delay": 2, "job_completion_wait": 25, "health_check_interval": 10},
        **given,
        "functions": runs,
        "cron_jobs": schedules,
        "queues": served,
        "queue_name": key,  # where `arq --check` looks for the health record
        "redis_pool": client.at(redis_url, default_queue_name=key, **connection),
        "redis_settings": RedisURL.read(redis_url).arq_settings(),  # what `arq --check` connects by
    }
    return type("WorkerSettings", (), attributes)


def _refuse_namesakes(functions: Sequence[Any], cron_jobs: Sequence[CronJob]) -> None:
    """SettingsMistake for two functions or tasks of one name, of which arq runs the last for both, and for two
    schedules: Redis knows each by its name alone."""
    known: dict[tuple[str, str], Any] = {}
    for one in (*functions, *cron_jobs):
        kind = "schedules" if isinstance(one, Schedule) else "tasks or functions"
        named = one if isinstance(one, str | CronJob) else func(one)
        name, code = (one, one) if isinstance(named, str) else (named.name, named.coroutine)
        if known.setdefault((kind, name), code) != code:
            raise SettingsMistake(f"two {kind} are named {name!r}: give one another name=")


SUPPORTED_ARQ = "0.28.0"


def use_our_worker() -> None:
    """Have arq's command line build our Worker. Guarded by the version: what we override is arq's private business."""
    if arq.VERSION != SUPPORTED_ARQ:
        raise SettingsMistake(f"arq {arq.VERSION} is installed; this library is made for arq {SUPPORTED_ARQ} exactly")
    arq.worker.Worker = arq.Worker = Worker  # type: ignore[misc,assignment]
    arq.cli.watch_reload = lambda *given: import_module("..contrib.watch", __package__).watch_reload(*given)
    arq.cli.default_log_config = log_config  # type: ignore[attr-defined]


_parameters = {**inspect.signature(arq.worker.Worker).parameters, **inspect.signature(WorkerOptions).parameters}
Worker.__signature__ = inspect.Signature(list(_parameters.values()))  # type: ignore[attr-defined]
"""arq reads a settings class by the names in this signature, so it must show arq's as well as ours."""
