"""The short form of the scenarios, eight at a time, with one seed: what `make test` promises of faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(900)
def test_every_promise_holds_in_the_short_form_of_every_scenario() -> None:
    """`make chaos` plays them at full size. The table of what broke is the message."""
    options = ["--short", "--together", "8", "--seed", "1", "--once-more"]
    command = [sys.executable, "-m", "tests.chaos", *options]

    played = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)

    assert played.returncode == 0, played.stdout + played.stderr
