"""Whatever a caller may send, every page, log and command can show."""

from __future__ import annotations

import subprocess
import sys

from settings import ROOT


def test_every_page_log_and_command_shows_whatever_is_taken(redis_url: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.app.showing", redis_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr[-8_000:] + ended.stdout[-2_000:]
