"""The python of docs/middleware.md runs as it is there: its module on a worker process, its dialogues here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jobs.testing import Workers
from settings import ROOT
from tests.documents import Page, run_dialogue, worker_of
from tests.registered_tasks import forget

PAGE = Page(ROOT / "docs" / "middleware.md")


async def test_the_tenant_travels(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks.py").write_text(PAGE.modules()["tasks.py"])
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tasks", raising=False)
    names = dict[str, object]()
    with worker_of("tasks", tmp_path, redis_url):
        for dialogue in PAGE.sections[1].dialogues:
            await run_dialogue(dialogue, names)
    monkeypatch.delitem(sys.modules, "tasks")


async def test_the_outcomes_are_told_apart(
    tmp_path: Path, jobs_worker: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "measured.py").write_text(PAGE.modules()["measured.py"])
    monkeypatch.syspath_prepend(tmp_path)
    [dialogue] = PAGE.sections[4].dialogues
    await run_dialogue(dialogue, {"jobs_worker": jobs_worker})
    monkeypatch.delitem(sys.modules, "measured")
    for name in ("flaky", "endless"):
        forget(name)
