"""Puts our classes where arq's tests look for arq's, and expects the tests of differs.toml to fail."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import arq
import arq.connections
import arq.worker
import pytest

WAY = os.environ["ARQ_SUITE_WAY"]
DIFFERS = Path(__file__).parents[1] / "differs.toml"

if WAY in ("worker", "connection"):
    import jobs.worker

    class Worker(jobs.worker.Worker):
        """Ours, but one that fails a job of an unknown task at once: two of arq's tests would wait an hour for it."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{"unknown_task_patience": 0, **options})

    # Before conftest is imported: it takes the names by `from arq.worker import Worker`.
    arq.Worker = arq.worker.Worker = Worker  # type: ignore[misc]
if WAY == "connection":
    from jobs.client.connection import JobsRedis

    arq.ArqRedis = arq.connections.ArqRedis = arq.worker.ArqRedis = JobsRedis


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A listed test must exist and must fail: the list may not hide what works. What failed is run again by itself."""
    if WAY != "connection":
        return
    listed: dict[str, str] = tomllib.loads(DIFFERS.read_text()).get("differs", {})
    by_name = {item.nodeid.removeprefix("tests/"): item for item in items}
    if (missing := listed.keys() - by_name.keys()) and not config.getoption("lf"):
        raise pytest.UsageError(f"differs.toml names tests that do not exist: {', '.join(sorted(missing))}")
    for name in listed.keys() & by_name.keys():
        by_name[name].add_marker(pytest.mark.xfail(reason=listed[name], strict=True))
        by_name[name].add_marker(pytest.mark.timeout(2))  # some wait for what never comes
