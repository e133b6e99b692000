"""What an editor says about uses of tasks: mypy and pyright refuse exactly the lines marked in `typed_calls.py`."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from jobs import worker_settings
from jobs.worker.worker_options import CHECKS, WorkerKeywords
from tests.venv import make_venv

ROOT = Path(__file__).parents[3]
SNIPPETS = Path(__file__).with_name("typed_calls.py")
PYRIGHT = ("--no-deps", "basedpyright==1.40.2")
"""pyright as a wheel. It runs on Node, which playwright has brought."""
CONFIG = {
    "include": [str(SNIPPETS)], "extraPaths": [str(ROOT)], "venvPath": str(ROOT), "venv": ".venv",
    "typeCheckingMode": "standard", "pythonVersion": "3.11",
}  # fmt: skip


BEFORE_THE_PAGE = """
from dataclasses import dataclass
from enum import Enum
from typing import assert_type
from jobs import Result, Signature, group, task

class Size(Enum):
    SMALL = "s"
    LARGE = "l"

@dataclass
class Picture: ...

@task(name="typed.resize")
async def resize(picture: Picture, size: Size) -> Picture: ...

@task(name="typed.count")
async def count(pictures: list[Picture]) -> int: ...
"""


@pytest.mark.timeout(240)  # the first run of mypy on a machine reads everything
def test_mypy_refuses_wrong_uses_and_no_right_one(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    [fence] = re.findall(r"```python\n(async def types.*?)```", (ROOT / "docs/arguments.md").read_text(), re.DOTALL)
    page.write_text(BEFORE_THE_PAGE + fence)
    strictly = ["--strict", "--no-error-summary", "--follow-imports=silent", "--disable-error-code=empty-body"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *strictly, SNIPPETS, page], cwd=ROOT, capture_output=True, text=True
    )
    found = {
        (int(line), code)
        for line, code in re.findall(r"typed_calls\.py:(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.MULTILINE)
        if code != "untyped-decorator"  # what follows from an option that was refused
    }

    assert found == _marked(), run.stdout + run.stderr
    assert "page.py" not in run.stdout, run.stdout


@pytest.mark.timeout(240)  # the first run fetches it
def test_pyright_refuses_the_same_lines(tmp_path: Path) -> None:
    python = make_venv(ROOT / ".cache" / "pyright", *PYRIGHT)
    [program] = python.parents[1].glob("lib/python*/site-packages/basedpyright/index.js")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(CONFIG))
    node = compute_driver_executable()[0]

    run = subprocess.run([node, program, "-p", tmp_path, "--outputjson"], capture_output=True, text=True)

    refused = json.loads(run.stdout)["generalDiagnostics"]
    assert {1 + one["range"]["start"]["line"] for one in refused} == {line for line, _ in _marked()}, run.stdout


def test_type_checkers_know_every_option() -> None:
    named = inspect.signature(worker_settings).parameters.keys() - {"redis_url", "options"}
    assert WorkerKeywords.__annotations__.keys() | named == CHECKS.keys()


def _marked() -> set[tuple[int, str]]:
    lines = enumerate(SNIPPETS.read_text().splitlines(), start=1)
    return {(number, match[1]) for number, line in lines if (match := re.search(r"# E: ([\w-]+)$", line))}
