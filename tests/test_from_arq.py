"""`docs/from-arq.md` moves a project that runs after each step."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arq.connections import RedisSettings, create_pool

import jobs
from jobs import connect
from settings import ROOT
from tests.documents import Page, run_dialogue, worker_of
from tests.registered_tasks import forget, registered

PAGE = Page(ROOT / "docs" / "from-arq.md")


@pytest.fixture
def moved(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The project as the page leaves it, its worker process, and its tasks here."""
    for name, text in PAGE.modules().items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    known = registered()
    tasks = importlib.import_module("tasks")
    with worker_of("tasks", tmp_path, redis_url):
        yield {name: getattr(jobs, name) for name in jobs.__all__} | vars(tasks) | {"REDIS_URL": redis_url}
    for name in ("tasks", "before"):
        del sys.modules[name]
    for name in registered().keys() - known.keys():
        forget(name)


async def test_every_step_runs(moved: dict[str, Any], redis_url: str) -> None:
    assert list(PAGE.sections) == [1, 2, 3, 4, 5, 6]

    async with connect(redis_url):
        for section in PAGE.sections.values():
            assert section.fences("python")
            for fence in section.dialogues:
                await run_dialogue(fence, moved)


async def test_jobs_from_before_the_exchange_are_run(tmp_path: Path, redis_url: str) -> None:
    """What a producer that nobody has changed has pickled, by the worker of section 2."""
    for name, text in PAGE.modules().items():
        (tmp_path / name).write_text(text)
    pool = await create_pool(RedisSettings(unix_socket_path=redis_url.removeprefix("unix://")))
    await pool.enqueue_job("download", "example.org", _job_id="old")
    await pool.aclose()

    with worker_of("before_the_exchange", tmp_path, redis_url) as log:
        async with connect(redis_url):
            assert await jobs.Result("old").get(timeout=20) == "hello from example.org"
        assert "CAN RUN ANY CODE HERE" in log.read_text()
