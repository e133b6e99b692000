"""The python of docs/flow-control.md runs as it is there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from jobs.testing import Clock, Workers
from settings import ROOT
from tests.documents import Page, run_dialogue
from tests.registered_tasks import forget

PAGE = Page(ROOT / "docs" / "flow-control.md")


async def test_calls_with_the_same_key_are_one_job(
    tmp_path: Path, jobs_worker: Workers, jobs_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    [section] = [one for one in PAGE.sections.values() if one.title.startswith("One at a time per key")]
    (tmp_path / "carts.py").write_text(PAGE.modules()["carts.py"])
    monkeypatch.syspath_prepend(tmp_path)
    [dialogue] = section.dialogues
    await run_dialogue(dialogue, {"jobs_worker": jobs_worker, "jobs_clock": jobs_clock})
    for name in ("sync", "reindex", "report", "save"):
        forget(f"carts.{name}")
    monkeypatch.delitem(sys.modules, "carts")


async def test_limits_per_customer(tmp_path: Path, jobs_worker: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    [section] = [one for one in PAGE.sections.values() if one.title.startswith("Limits per customer")]
    (tmp_path / "accounts.py").write_text(PAGE.modules()["accounts.py"])
    monkeypatch.syspath_prepend(tmp_path)
    [dialogue] = section.dialogues
    await run_dialogue(dialogue, {"jobs_worker": jobs_worker, "asyncio": asyncio})
    forget("accounts.sync")
    monkeypatch.delitem(sys.modules, "accounts")
