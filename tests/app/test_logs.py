"""Log lines: each on one line of its own form, for the worker's own lines too."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from settings import ROOT
from tests.app.running_site import environment


async def test_json_lines_of_a_worker_are_json(tmp_path: Path, redis_url: str) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", "--burst", "worker.WorkerSettings"),
        cwd=ROOT,
        env=environment(tmp_path, REDIS_URL=redis_url, LOG_FORMAT="json", LOG_LEVEL="DEBUG"),
        stderr=asyncio.subprocess.PIPE,
    )

    _, said = await worker.communicate()

    lines = [line for line in said.decode().splitlines() if line.startswith("{")]
    assert lines
    for line in map(json.loads, lines):
        assert line.keys() >= {"time", "level", "logger", "message"}
    own = [line for line in lines if '"arq.worker.jobs"' in line]  # aiosqlite repeats itself within a millisecond
    assert len(set(own)) == len(own) > 0
    assert worker.returncode == 0
