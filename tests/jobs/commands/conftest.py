"""`python -m jobs` as somebody types it, beside a worker process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jobs.client.connection import JobsRedis
from jobs.commands import main
from jobs.monitor_site.model.worker_list import online
from tests.jobs.commands.listening import listener
from tests.jobs.worker.conftest import (
    ROOT,
    StartProcess,
    WorkerProcess,
    as_documented,
    connection,
    start_process,
    start_worker,
)
from tests.waiting import wait_until

__all__ = ["as_documented", "connection", "listener", "start_process", "start_worker"]


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Awaitable[Said]]
StartOnline = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
def start_online(start_process: StartProcess, connection: JobsRedis) -> StartOnline:
    """Start a worker process that tells news of itself often, and wait until it is online."""

    async def start(**environ: str) -> WorkerProcess:
        before = len(await online(connection))
        worker = await start_process(**{"LEASE_RENEWAL": "0.2"} | environ)

        async def listed() -> bool:
            return len(await online(connection)) > before

        await wait_until(listed, "the worker to be online")
        return worker

    return start


@pytest.fixture
def cli(redis_url: str, connection: JobsRedis) -> Cli:
    """Run a command in this process, on the test's Redis."""

    async def run(*words: str) -> Said:
        return await asyncio.to_thread(run_command, ["--redis-url", redis_url, *words])

    return run


def run_command(words: list[str]) -> Said:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    assert isinstance(code, int)
    return Said(code, *texts)


@pytest.fixture
def process(redis_url: str) -> Cli:
    """Run a command as a process of its own, on the test's Redis, with nothing but what is given here."""

    async def run(
        *words: str, typed: str = "", redis_url: str | None = redis_url, cwd: str = str(ROOT), **environ: str
    ) -> Said:
        known = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        given = {} if redis_url is None else {"REDIS_URL": redis_url}
        ended = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "jobs", *words],
            cwd=cwd, env=known | given | environ, input=typed.encode(), capture_output=True, timeout=30,
        )  # fmt: skip
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run
