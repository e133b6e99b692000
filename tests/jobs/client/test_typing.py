"""What an editor says about calls of tasks: mypy finds exactly the errors marked in `typed_calls.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SNIPPETS = Path(__file__).with_name("typed_calls.py")


@pytest.mark.timeout(240)  # the first run of mypy on a machine reads everything
def test_wrong_calls_and_wrong_options_are_errors_and_right_ones_are_not() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent", SNIPPETS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = {
        (int(line), code)
        for line, code in re.findall(r"typed_calls\.py:(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.MULTILINE)
        if code != "untyped-decorator"  # what follows from an option that was refused
    }

    assert found == _marked(), run.stdout + run.stderr


def _marked() -> set[tuple[int, str]]:
    lines = enumerate(SNIPPETS.read_text().splitlines(), start=1)
    return {(number, match[1]) for number, line in lines if (match := re.search(r"# E: ([\w-]+)$", line))}
