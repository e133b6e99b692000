"""`docs/from-celery.md` says nothing that does not run: each section, on a worker, as the recipe numbers them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jobs
from app import create_app
from app.context import close
from app.migrations import upgrade
from app.playground.tasks import log, multiply
from jobs import connect
from jobs.tasks import registry
from settings import ROOT, Settings
from tests.app.working import working
from tests.documents import CHECKER, FLAGS, Page, run_commands, run_dialogue, worker_of
from tests.redis_server import RedisServer
from tests.registered_tasks import forget, registered
from tests.smtp_server import mailing, smtp_server
from tests.waiting import wait_until

PAGE = Page(ROOT / "docs" / "from-celery.md")
SECTIONS = PAGE.sections
OF_THE_SITE = {2, 28, 29, 30}
"""Sections about the application: they run in its context, beside a worker of its own."""


class Library:
    """The page's `tasks.py`, its worker process, and its Redis."""

    def __init__(self, module: ModuleType, redis_url: str, log: Path) -> None:
        self.redis_url = redis_url
        self.log = log
        self.names = {name: getattr(jobs, name) for name in jobs.__all__} | vars(module)
        self.names["REDIS_URL"] = redis_url


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with tempfile.TemporaryDirectory(prefix="quarq-") as name:
        folder = Path(name)
        (folder / "tasks.py").write_text(PAGE.modules()["tasks.py"])
        server = RedisServer(folder).start()
        try:
            with worker_of("tasks", folder, server.url) as log, _loaded(folder / "tasks.py") as module:
                yield Library(module, server.url, log)
        finally:
            server.stop()


@pytest.fixture
async def site(tmp_path: Path, redis_url: str) -> AsyncIterator[dict[str, Any]]:
    """The application's context, a worker of its own, and a mail server."""
    async with smtp_server() as smtp:
        settings = mailing(Settings(data_dir=tmp_path, redis_url=redis_url), smtp)
        await upgrade(settings)
        app = create_app(settings)
        async with working(settings) as worker, app.app_context(), connect(redis_url):
            await wait_until(lambda: worker.statistics().name, "the worker to run")
            yield {"app": app, "__name__": "__page__"}
        await close(app)


def test_every_step_of_the_recipe_has_its_section() -> None:
    assert list(SECTIONS) == list(range(1, 31))


@pytest.mark.parametrize("number", sorted(set(range(1, 31)) - OF_THE_SITE))
async def test_the_library(number: int, library: Library) -> None:
    section = SECTIONS[number]
    assert section.fences("python") or section.fences("shell")

    for fence in section.fences("shell"):
        await asyncio.to_thread(run_commands, fence, library.log.parent, library.redis_url)

    async with connect(library.redis_url):
        names = dict(library.names)
        for fence in section.dialogues:
            await run_dialogue(fence, names)

    for fence in section.fences("console"):
        for line in fence.splitlines()[1:]:
            await wait_until(lambda line=line: _is_logged(line, library.log), f"the worker to log {line!r}")


@pytest.mark.parametrize("number", sorted(OF_THE_SITE))
async def test_the_application(number: int, site: dict[str, Any]) -> None:
    assert SECTIONS[number].dialogues

    for fence in SECTIONS[number].dialogues:
        await run_dialogue(fence, site)


def _is_logged(shown: str, log: Path) -> bool:
    return any(CHECKER.check_output(shown, line, FLAGS) for line in log.read_text().splitlines())


@contextlib.contextmanager
def _loaded(path: Path) -> Iterator[ModuleType]:
    """Its tasks take the place of the playground's, which have the same names."""
    for task in (log, multiply):
        forget(task.name)
    known = registered()
    spec = importlib.util.spec_from_file_location("tasks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in registered().keys() - known.keys():
        forget(name)
    for task in (log, multiply):
        registry.register(task)
