"""README.md: short, and true. Its program, log, commands and figures are those of the code."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import connect, monitor
from settings import ROOT
from tests.documents import as_in_the_clone, worker_of
from tests.waiting import wait_until

README = as_in_the_clone(ROOT / "README.md")
TEXTS = {"", ".md", ".py", ".toml", ".yaml", ".yml", ".html", ".txt", ".lock"}
MOST_WORDS = 600
LARGEST_PICTURE = 200_000


def fence(language: str, containing: str) -> str:
    """The one block of this language that contains this."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [text] = [text for text in found if containing in text]
    return str(text)


def without_what_varies(line: str) -> str:
    """Ids, moments, durations and the names of machines differ in each run."""
    line = re.sub(r"\S+(?= \(command line\))", "WHO", re.sub(r"[0-9a-f]{32}", "ID", line))
    return re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d|\d+\.\d\d(?=s)", "TIME", line)


async def run(*words: str, redis_url: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=os.environ | {"REDIS_URL": redis_url}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@pytest.fixture
def log(redis_url: str, tmp_path: Path) -> Iterator[Path]:
    with worker_of("examples.quickstart", tmp_path, redis_url) as log:
        yield log


def test_it_is_read_in_three_minutes() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_it_has_one_picture_that_loads_quickly() -> None:
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)

    assert (ROOT / picture).stat().st_size < LARGEST_PICTURE


@pytest.mark.parametrize(
    "command",
    [
        "make run",
        "arq worker.WorkerSettings",
        "pip install quarq-jobs",
        "arq quickstart.WorkerSettings",
        "python quickstart.py",
    ],
)
def test_the_first_60_lines_say_how_to_start(command: str) -> None:
    assert [line for line in README.splitlines()[:60] if command in line and line.startswith("    ")]


def test_nobody_is_asked_to_install_the_package_of_somebody_else() -> None:
    """It is called `quarq`. Ours is `quarq-jobs`, with its extras too."""
    folders = [(ROOT / name).rglob("*.*") for name in ("docs", "jobs", "app", "examples")]
    theirs = re.compile(
        r"(?:pipx? install|(?:uv|poetry|pdm) add) (?:-\S+ )*['\"]?quarq(?!-jobs)\b|(?<![\w/-])quarq(?:\[|[=~<>]=)"
    )
    texts = [path for path in itertools.chain(ROOT.glob("*"), *folders) if path.suffix in TEXTS and path.is_file()]

    assert len(texts) > 300
    assert [path for path in texts if theirs.search(path.read_text())] == []


async def test_the_program_is_the_quickstart_and_prints_and_logs_what_is_shown(redis_url: str, log: Path) -> None:
    assert (ROOT / "examples" / "quickstart.py").read_text().endswith(fence("python", "worker_settings"))
    [shown] = re.findall(r"^It prints (.+?)\. ", README, re.MULTILINE)

    printed = await run("-m", "examples.quickstart", redis_url=redis_url)

    assert printed.splitlines() == re.findall(r"`(.+?)`", shown)
    wanted = [without_what_varies(line) for line in fence("text", "→").splitlines()]
    logged = [without_what_varies(line) for line in log.read_text().splitlines()]
    assert [line for line in logged if line in wanted] == wanted


async def test_why_answers_what_is_shown(redis_url: str, log: Path) -> None:
    jobs = ("-m", "jobs", "-A", "examples.quickstart.WorkerSettings")
    async with connect(redis_url) as redis:
        await wait_until(lambda: monitor.workers(redis), "the worker to be online", timeout_s=30)
    await run(*jobs, "control", "pause", "default", redis_url=redis_url)
    job = (await run(*jobs, "call", "quickstart.multiply", "--args", "[6, 7]", redis_url=redis_url)).strip()

    answer = await run(*jobs, "why", job, redis_url=redis_url)

    command, shown = fence("console", "jobs why").splitlines()
    assert without_what_varies(command) == "$ python -m jobs why ID"
    assert without_what_varies(answer.strip()) == without_what_varies(shown)


def test_each_measured_figure_is_on_the_page_of_benchmarks() -> None:
    table = README.partition("\n## Figures\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|")[1:] for line in table.splitlines() if line.startswith("| ")][1:]
    figures = {figure for row in rows for cell in row for figure in re.findall(r"[\d.,]+(?= ms| s|$)", cell.strip())}
    page = (ROOT / "docs" / "benchmarks.md").read_text()

    assert len(figures) == 10
    assert [figure for figure in figures if figure not in page] == []
