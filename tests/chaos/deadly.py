"""Jobs that kill their worker, one task or value for each place where that may happen; and a worker that runs them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

from jobs import encoding, task
from jobs.tasks.current import CurrentJob
from tests.chaos import ledger, tasks

IN_WORKER = "CHAOS_DEADLY" in os.environ
"""The process that sends these values, and looks at them, lives."""


def die(key: str, how: str = "os._exit") -> None:
    """Take the process with it."""
    ledger.note(key, "dies")
    match how:
        case "segv":
            ctypes.string_at(0)
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            os._exit(1)


class Value:
    """An argument that kills who decodes it, shows it or encodes it, as `kills` says."""

    def __init__(self, kills: str) -> None:
        self.kills = kills

    def __repr__(self) -> str:
        if IN_WORKER and self.kills == "log":
            die("log", "sigkill")
        return f"Value({self.kills!r})"

    def to_plain(self) -> str:
        if IN_WORKER and self.kills in ("result", "link"):
            die(self.kills, "segv")
        return self.kills

    @classmethod
    def from_plain(cls, kills: str) -> Value:
        if IN_WORKER and kills.startswith("decode"):
            die(kills, "segv")
        return cls(kills)


encoding.declare_type(Value, 100, Value.to_plain, Value.from_plain)


def hook(job: CurrentJob, value: Any) -> None:
    die(job.name.removeprefix("deadly."))


@task(name="deadly.run")
async def run(key: str, how: str) -> None:
    die(key, how)


@task(name="deadly.take", result_expires=3600)
async def take(value: Any = None) -> Any:
    return value


@task(name="deadly.give")
async def give() -> Any:
    return Value("result")


@task(name="deadly.on_success", on_success=hook)
async def succeed() -> None:
    pass


@task(name="deadly.on_failure", on_failure=hook)
async def fail() -> None:
    raise ValueError("it fails, and its hook kills")


@task(name="deadly.around")
async def surrounded() -> None:
    pass


@task(name="deadly.process", process=True)
def in_process() -> None:
    die("process", "segv")


@task(name="deadly.memory")
async def memory() -> None:
    """As the kernel does when memory is short."""
    _hold = bytearray(2**24)
    die("memory", "sigkill")


@contextlib.asynccontextmanager
async def around(job: CurrentJob) -> AsyncIterator[None]:
    if job.name == "deadly.around":
        die("around")
    yield


TASKS = [run, take, give, succeed, fail, surrounded, in_process, memory, tasks.work]

WorkerSettings = tasks.settings(TASKS, around=around, max_jobs=10)
