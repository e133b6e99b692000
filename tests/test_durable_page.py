"""The python of docs/durable.md runs as it is there, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.testing import Clock, Workers
from settings import ROOT
from tests.documents import Page, run_dialogue
from tests.registered_tasks import forget

PAGE = Page(ROOT / "docs" / "durable.md")
TASKS = {"orders": ("print_label", "fulfil"), "releases": ("build", "publish")}


@pytest.mark.parametrize(("section", "module"), [(1, "orders"), (3, "releases")])
async def test_the_examples(
    section: int,
    module: str,
    tmp_path: Path,
    jobs_worker: Workers,
    jobs_clock: Clock,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / f"{module}.py").write_text(PAGE.modules()[f"{module}.py"])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    names = dict[str, object](jobs_worker=jobs_worker, jobs_clock=jobs_clock)
    try:
        for dialogue in PAGE.sections[section].dialogues:
            await run_dialogue(dialogue, names)
    finally:
        for task in TASKS[module]:
            forget(f"{module}.{task}")
