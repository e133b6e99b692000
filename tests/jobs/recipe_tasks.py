"""The tasks of the recipe's rows, one or more for each option, and the worker that runs them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from jobs import CurrentJob, Unique, task, worker_settings
from jobs.errors import SoftTimeLimitExceeded


class Declared(Exception):
    """One that the caller may see as itself."""


class Undeclared(Exception):
    """One that only the worker knows."""


def note(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


@task(name="rows.log")
def log(message: Any, path: str = "") -> Any:
    if path:
        note(path, str(message))
    return message


@task(name="rows.multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="rows.bound", bind=True)
async def bound(self: CurrentJob, path: str) -> tuple[str | None, int, bool]:
    return self.request.id, self.request.retries, self.request.called_directly


@task(name="rows.headed", bind=True)
async def headed(self: CurrentJob) -> dict[str, str]:
    return dict(self.request.headers)


@task(name="rows.flaky", bind=True, max_retries=2, default_retry_delay=0.2)
async def flaky(self: CurrentJob, path: str, failures: int) -> int:
    note(path, f"{time.time()}")
    try:
        if self.request.retries < failures:
            raise OSError("not yet")
    except OSError as error:
        self.retry(exc=error)
    return self.request.retries


@task(
    name="rows.auto",
    max_retries=None,
    autoretry_for=(OSError,),
    dont_autoretry_for=(FileNotFoundError,),
    retry_backoff=0.05,
    retry_backoff_max=0.1,
    retry_jitter=False,
)
def auto(path: str, failures: int, name: str = "OSError") -> int:
    note(path, f"{time.time()}")
    tries = len(Path(path).read_text().splitlines())
    if tries <= failures:
        raise {"OSError": OSError, "FileNotFoundError": FileNotFoundError}[name]("again")
    return tries


@task(
    name="rows.jitter",
    max_retries=5,
    autoretry_for=(OSError,),
    retry_backoff=0.2,
    retry_backoff_max=0.2,
    retry_jitter=True,
)
def jitter(path: str) -> None:
    note(path, f"{time.time()}")
    raise OSError("again")


@task(name="rows.paced", rate_limit="10/s")
def paced(path: str) -> None:
    note(path, f"{time.time()}")


@task(name="rows.narrow", max_concurrency=1)
async def narrow(path: str) -> None:
    note(path, "start")
    await asyncio.sleep(0.1)
    note(path, "end")


@task(name="rows.once", unique=Unique("path"))
async def once(path: str) -> None:
    note(path, "start")


@task(name="rows.asks", bind=True)
async def asks(self: CurrentJob) -> str:
    return str(await self.wait_for_event("answer", timeout=60))


@task(name="rows.limited", time_limit=0.2)
async def limited() -> None:
    await asyncio.sleep(30)


@task(name="rows.soft", soft_time_limit=0.2)
async def soft() -> str:
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        return "cleaned up"
    return "slept"


@task(name="rows.ignored", ignore_result=True)
def ignored(path: str) -> str:
    note(path, "ran")
    return "nobody sees this"


@task(name="rows.perishable", expires=0.1)
def perishable(path: str) -> None:
    note(path, "ran")


@task(name="rows.elsewhere", queue="elsewhere", bind=True)
async def elsewhere(self: CurrentJob) -> str:
    return self.request.queue


@task(name="rows.fatal", queue="doomed", acks_late=False)
def fatal(path: str) -> None:
    note(path, "ran")
    os._exit(1)


@task(name="rows.forgotten", result_expires=0.3)
async def forgotten() -> str:
    return "soon gone"


@task(name="rows.raises", raises=(Declared,))
async def raises(declared: bool) -> None:
    raise Declared("seen") if declared else Undeclared("unseen")


@task(name="rows.process", process=True)
def process() -> tuple[int, int]:
    return os.getpid(), os.getppid()


@task(name="rows.strict", strict=True)
async def strict(number: int) -> int:
    return number


@task(name="rows.renamed", aliases=["rows.old_name"])
async def renamed() -> str:
    return "still here"


def heard(job: CurrentJob, value: Any) -> None:
    note(job.request.args[0], f"{job.request.retries}: {value!r}")


@task(
    name="rows.hooked",
    bind=True,
    max_retries=1,
    default_retry_delay=0,
    on_success=heard,
    on_failure=heard,
    on_retry=heard,
)
async def hooked(self: CurrentJob, path: str, failures: int) -> str:
    if self.request.retries < failures:
        self.retry(exc=OSError("not yet"))
    return "well"


@task(name="rows.steps", bind=True)
async def steps(self: CurrentJob) -> None:
    await self.update_state(meta={"done": 1})
    await asyncio.sleep(0.2)
    await self.update_state(meta={"done": 2})


@task(name="rows.tell")
def tell(request: Any, error: BaseException, traceback: str) -> None:
    note(request.args[0], f"{request.task}: {error!r}, {'Traceback' in traceback}")


@task(name="rows.fail")
async def fail(path: str) -> None:
    raise ValueError("no luck")


@task(name="rows.nap")
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


if "ROWS_REDIS" in os.environ:
    WorkerSettings = worker_settings(
        redis_url=os.environ["ROWS_REDIS"],
        tasks=[
            log, multiply, bound, headed, flaky, auto, jitter, paced, narrow, limited, soft, ignored, perishable,
            elsewhere, fatal, forgotten, raises, process, strict, renamed, hooked, steps, tell, fail, nap,
            once, asks,
        ],
        queues=os.environ.get("ROWS_QUEUES", "default,elsewhere").split(","),
        lease=2,
        lease_renewal=0.5,
    )  # fmt: skip
