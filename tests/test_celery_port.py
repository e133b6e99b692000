"""examples/from_celery: the project that was moved works, and docs/from-celery.md shows lines that are in its files."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from settings import ROOT
from tests.documents import as_in_the_clone

PROJECT = ROOT / "examples" / "from_celery"
PAGE = as_in_the_clone(ROOT / "docs" / "from-celery.md").partition("## A whole project")[2]
RENAMED = {"shop/celery.py": "shop/worker.py"}
DIFFS = re.findall(r"^```diff\n # ([^\n]+)\n(.*?)^```$", PAGE, re.M | re.S)
ROWS = re.findall(r"^\| (`.+?) \| (.+?) \|.*\|$", PAGE, re.M)


def lines(path: Path) -> set[str]:
    return set(path.read_text().splitlines())


def files(folder: str) -> set[str]:
    found = (path.relative_to(PROJECT / folder).as_posix() for path in (PROJECT / folder).rglob("*.py"))
    return {name for name in found if (PROJECT / folder / name).stat().st_size}


async def test_the_project_that_was_moved_passes_its_tests(redis_url: str, tmp_path: Path) -> None:
    """In a process of its own: its package is called `shop`, as many are, and its fixtures run a worker."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "JOBS_TEST_REDIS_URL": redis_url,
        "DATABASE": str(tmp_path / "shop.db"),
    }
    plugins = ("-p", "pytest_quarq_jobs", "-p", "no:cacheprovider", "-p", "no:valkey")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-W", "error", *plugins, "tests"),
        cwd=PROJECT / "after", env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    assert b" passed" in said


def test_the_table_says_of_each_file_whether_it_changed() -> None:
    rows = {name: what for names, what in ROWS for name in re.findall(r"`([^`]+)`", names)}

    assert rows.keys() == files("before") | {"tests/test_worker.py"}
    assert files("after") == {RENAMED.get(name, name) for name in rows}
    for name, what in rows.items():
        before, after = PROJECT / "before" / name, PROJECT / "after" / RENAMED.get(name, name)
        same = before.exists() and before.read_text() == after.read_text()
        assert same == (what == "nothing"), name


@pytest.mark.parametrize(("name", "diff"), DIFFS, ids=[name for name, _ in DIFFS])
def test_each_line_of_a_diff_is_in_its_file(name: str, diff: str) -> None:
    before, after = lines(PROJECT / "before" / name), lines(PROJECT / "after" / RENAMED.get(name, name))

    for line in diff.splitlines():
        text, was, now = line[1:], line[0] in " -", line[0] in " +"
        assert (text in before, text in after) == (was, now), line


def test_the_page_shows_lines_of_every_file_with_tasks() -> None:
    assert {name for name, _ in DIFFS} >= {f"shop/tasks/{name}.py" for name in ("mail", "orders", "reports")}
