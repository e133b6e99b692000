"""The python of docs/middleware.md runs as it is there: its module on a worker process, its dialogues here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from settings import ROOT
from tests.documents import Page, run_dialogue, worker_of

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
