"""Fixtures that every test may use: one real Redis for the run, emptied for each test."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis.asyncio import Redis

from tests.redis_server import RedisServer

pytest_plugins = ["pytest_quarq_jobs"]  # the fixtures for the tests of applications, which the wheel has too

settings.register_profile("quarq", deadline=None)  # a busy machine is no defect; the test's timeout stands
settings.load_profile("quarq")


def pytest_configure() -> None:
    """A shell ignores SIGINT in what it starts in the background, and so would every process that a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes each takes a file at a time: those whose tests were given the most time go first.

    Else the longest would run last, in one process alone.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        weight = Counter[Path]()
        for item in items:
            timeout = item.get_closest_marker("timeout")
            weight[item.path] += int(timeout.args[0]) if timeout else 1
        items.sort(key=lambda item: -weight[item.path])


def pytest_collection_finish() -> None:
    """What 280 imported files hold stays to the end: to look through it again and again was a third of all the time."""
    gc.freeze()
    gc.set_threshold(700, 10, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests log lone surrogates, which cannot travel from the process that ran the test to the one that reports it."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The run's Redis. A test that kills its server starts one of its own instead."""
    with tempfile.TemporaryDirectory(prefix="quarq-") as folder:
        server = RedisServer(Path(folder)).start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def jobs_redis_url(redis_server: RedisServer) -> str:
    """Where the workers of `jobs_worker` have their keys."""
    return redis_server.url


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A plain client on the empty Redis of this test."""
    client = Redis.from_url(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def redis_url(redis: Redis, redis_server: RedisServer) -> str:
    """The address of the empty Redis of this test."""
    return redis_server.url
