"""docs/schedules.md: each of its dialogues shows what the page says, with the worker of the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from settings import ROOT
from tests.documents import Page, run_dialogue, worker_of
from tests.registered_tasks import forget

PAGE = Page(ROOT / "docs" / "schedules.md")


@pytest.mark.timeout(60)
async def test_its_dialogues_show_what_the_page_says(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks.py").write_text(PAGE.modules()["tasks.py"])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    names: dict[str, Any] = {"__builtins__": __builtins__}
    try:
        with worker_of("tasks", tmp_path, redis_url):
            for section in PAGE.sections.values():
                for fence in section.dialogues:
                    await run_dialogue(fence, names)
    finally:
        sys.modules.pop("tasks", None)
        forget("shop.clean")
        forget("shop.report")
