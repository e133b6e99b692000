"""The python of docs/durable.md runs as it is there, in virtual time."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import CurrentJob, task
from jobs.testing import Clock, Workers
from settings import ROOT
from tests.documents import Page, run_dialogue
from tests.registered_tasks import forget

PAGE = Page(ROOT / "docs" / "durable.md")
TASKS = {"orders": ("print_label", "fulfil"), "releases": ("build", "publish")}


async def test_the_lines_of_the_readme(jobs_worker: Workers, jobs_clock: Clock) -> None:
    """With a bank and a printer."""

    async def charge_card(order: int) -> str:
        return f"payment {order}"

    @task(name="orders.print_label")
    async def print_label(order: int) -> str:
        return f"label {order}"

    [lines] = [
        one
        for one in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "self.step" in one
    ]
    names: dict[str, Any] = {
        "CurrentJob": CurrentJob, "task": task, "timedelta": timedelta, "print_label": print_label,
        "charge_card": charge_card,
    }  # fmt: skip
    exec(lines, names)
    try:
        async with jobs_worker(tasks=[names["fulfil"], print_label]):
            result = await names["fulfil"].delay(7)
            await jobs_clock.advance(days=4)
            await result.send_event("approval", "yes")
            assert await result.get(timeout=5) == "payment 7, label 7: yes"
    finally:
        for name in ("orders.print_label", "orders.fulfil"):
            forget(name)


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
