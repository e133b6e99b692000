"""docs/frameworks.md: its applications and its notebook do what it shows, and what it says of them holds."""

from __future__ import annotations

import doctest
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT
from tests.documents import CHECKER, FLAGS
from tests.frameworks import environment, python_with_frameworks

pytestmark = pytest.mark.timeout(240)  # the first run makes an environment

TEXT = (ROOT / "docs" / "frameworks.md").read_text()
FENCES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MODULES = {match[1]: fence for fence in FENCES if (match := re.match(r"# (\w+\.py)\n", fence))}
LINES = "".join(fence for fence in FENCES if fence.startswith(">>> "))
CLAIMS = ROOT / "tests" / "framework_claims.py"


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Iterator[Path]:
    """With the modules of the page, and a worker."""
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    arq = python_with_frameworks().with_name("arq")
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [arq, "tasks.WorkerSettings"], cwd=tmp_path, env=environment(redis_url), stdout=log, stderr=log
        )
    yield tmp_path
    worker.terminate()
    worker.wait()


def run(folder: Path, redis_url: str, *words: str | Path, given: str = "") -> str:
    environ = environment(redis_url) | {"JOBS_TEST_REDIS_URL": redis_url}
    command = [python_with_frameworks(), *words]
    ran = subprocess.run(command, cwd=folder, env=environ, input=given, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_applications_serve_and_the_answers_of_the_table_are_true(folder: Path, redis_url: str) -> None:
    shutil.copy(CLAIMS, folder / "test_claims.py")

    said = run(folder, redis_url, "-m", "pytest", "-q", "--durations=8")

    print(said)
    assert "16 passed" in said, said


def test_each_line_of_the_notebook_shows_what_the_page_shows(folder: Path, redis_url: str) -> None:
    examples = doctest.DocTestParser().get_examples(LINES)
    cells = [example.source for example in examples]

    shown = json.loads(run(folder, redis_url, ROOT / "tests" / "notebook.py", given=json.dumps(cells)))

    assert len(examples) > 8
    for example, text in zip(examples, shown, strict=True):
        assert CHECKER.check_output(example.want, text, FLAGS), f"{example.source} shows {text}"
