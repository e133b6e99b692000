"""Plain tasks that call, wait and report, and the worker of two slots that runs them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs import CurrentJob, Middleware, OutgoingCall, Result, blocking, current_job, group, task, worker_settings

T = 20


@task(name="blocking.multiply")
def multiply(x: int, y: int) -> int:
    return x * y


@task(name="blocking.add_up")
async def add_up(numbers: list[int]) -> int:
    return sum(numbers)


@task(name="blocking.fail")
def fail() -> None:
    raise ValueError("no")


@task(name="blocking.parent", bind=True)
def parent(self: CurrentJob, n: int, folder: str = "", seconds: float = 0) -> int:
    if folder:
        Path(folder, f"{n}-{os.getpid()}").touch()
    self.blocking.update_state(meta=f"parent {n}")
    children = [multiply.blocking.apply_async((n, by), countdown=seconds or None) for by in (1, 2)]
    return sum(child.get(timeout=T) for child in children)


@task(name="blocking.waits_for_all")
def waits_for_all(n: int) -> int:
    workflow = group(multiply.s(i, n) for i in range(4)) | add_up.s()
    whole = workflow.blocking.delay().get(timeout=T)
    return whole + blocking.first([fail.blocking.delay(), multiply.blocking.delay(1, 1)], timeout=T)


@task(name="blocking.later", queue="later")
def later(n: int) -> int:
    return n


@task(name="blocking.waits_for_later")
def waits_for_later(n: int) -> int:
    return later.blocking.delay(n).get(timeout=T)


met: list[str] = []
"""What the calls of stopped jobs raised."""


@task(name="blocking.stopped")
def stopped() -> None:
    """Waits for what does not end, and calls again when that is over."""
    for _ in range(2):
        try:
            later.blocking.delay(1).get()
        except BaseException as error:
            met.append(type(error).__name__)
    later.blocking.delay(1)


go_on = threading.Event()


@task(name="blocking.outlives", time_limit=0.3)
def outlives() -> None:
    """Waits for no job when its time is over, and calls later."""
    go_on.wait(T)
    try:
        multiply.blocking.delay(1, 1)
    except BaseException as error:
        met.append(type(error).__name__)


@task(name="blocking.in_process", process=True)
def in_process(url: str, wait: bool) -> Any:
    if url:
        blocking.connect(url)
    result = multiply.blocking.delay(6, 7)
    return result.get(timeout=T) if wait else result.id


@task(name="blocking.reports_in_process", process=True, bind=True)
def reports_in_process(self: CurrentJob) -> None:
    self.blocking.update_state(meta=1)


@task(name="blocking.own_thread")
def own_thread() -> int:
    """A thread without the context of its job calls as any code of its process does."""
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(multiply.blocking.delay(6, 7).get(timeout=T)))
    thread.start()
    thread.join()
    return answers[0]


@task(name="blocking.through_a_thread")
async def through_a_thread() -> int:
    return await asyncio.to_thread(lambda: multiply.blocking.delay(6, 7).get(timeout=T))


@task(name="blocking.forks")
def forks() -> int:
    """The child of a fork calls by sockets of its own."""
    multiply.blocking.delay(0, 0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            code = multiply.blocking.delay(2, 21).get(timeout=T)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


LONG_AGO, NOT_LONG_AGO_MS = datetime(2020, 1, 1, tzinfo=UTC), 1_700_000_000_000
"""When the parents are due: their children inherit that."""
tenant: ContextVar[str] = ContextVar("tenant", default="")


class Noting(Middleware):
    """Sends the context and the job that a call is made in."""

    async def send(self, call: OutgoingCall, call_next: Any) -> Result[Any]:
        if tenant.get():  # else it is the test that calls
            job = current_job()
            call.headers |= {"tenant": tenant.get(), "by": job.request.headers["from"], "of": job.headers["from"]}
        return await call_next(call)  # type: ignore[no-any-return]


@task(name="blocking.describe", bind=True)
async def describe(self: CurrentJob, *before: Any) -> list[Any]:
    due_ms = self.request.due_ms
    return [dict(self.request.headers), self.request.queue, due_ms if due_ms < NOT_LONG_AGO_MS else "now", *before]


Of = Callable[[Any], Any]
"""Gives what has the verbs: the thing itself where they are awaited, its `.blocking` in plain code."""
CASES: dict[str, Callable[[Of], Any]] = {
    "delay": lambda of: of(describe).delay(),
    "options": lambda of: of(describe).apply_async(headers={"own": "1"}, queue="later"),
    "a countdown": lambda of: of(describe).apply_async(countdown=0.01),
    "a signature": lambda of: of(describe.s()).delay(),
    "a signature with headers": lambda of: of(describe.signature(headers={"own": "2"})).apply_async(),
    "a group": lambda of: of(group(describe.s(), describe.s())).delay(),
    "a chain": lambda of: of(describe.s() | describe.s()).apply_async(headers={"own": "3"}),
}


@task(name="blocking.calls_awaited", bind=True)
async def calls_awaited(self: CurrentJob, case: str) -> Any:
    tenant.set("ann")
    self.headers["from"] = "its code"
    return await (await CASES[case](lambda target: target)).get(timeout=T)


@task(name="blocking.calls_blocking", bind=True)
def calls_blocking(self: CurrentJob, case: str) -> Any:
    tenant.set("ann")
    self.headers["from"] = "its code"
    return CASES[case](lambda target: target.blocking).get(timeout=T)


@task(name="blocking.many_awaited")
async def many_awaited() -> list[Any]:
    tenant.set("ann")
    return [await result.get(timeout=T) for result in await describe.apply_many([(1,), (2,)], headers={"own": "4"})]


@task(name="blocking.many_blocking")
def many_blocking() -> list[Any]:
    tenant.set("ann")
    return [result.get(timeout=T) for result in describe.blocking.apply_many([(1,), (2,)], headers={"own": "4"})]


ALL = [
    multiply, add_up, fail, parent, waits_for_all, waits_for_later, stopped, outlives, in_process,
    reports_in_process, own_thread, through_a_thread, forks, describe, calls_awaited, calls_blocking,
    many_awaited, many_blocking,
]  # fmt: skip
WorkerSettings = worker_settings(
    redis_url=os.environ.get("REDIS_URL", "redis://localhost:6379"),
    tasks=ALL,
    max_jobs=2,
    lease=1,
    lease_renewal=0.3,
    poll_delay=0.2,
)
