"""Every program in `examples/` does what it says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from settings import ROOT
from tests.waiting import wait_until

SHOWN = {
    "as_they_come": "down\nquick\nslow\nnear\n",
    "welcome": "user 1\n",
    "workflow": "[0, 6, 14, 24, 36, 50, 66, 84, 104, 126]\n",
}


def test_each_example_is_run() -> None:
    """The quickstart is run as the README shows it, by tests/test_readme.py."""
    programs = {path.stem for path in (ROOT / "examples").glob("[a-z]*.py")}

    assert programs == SHOWN.keys() | {"quickstart"}


async def test_workflow(redis_url: str, tmp_path: Path) -> None:
    async with example("workflow", redis_url, tmp_path):
        pass


async def test_as_they_come(redis_url: str, tmp_path: Path) -> None:
    async with example("as_they_come", redis_url, tmp_path):
        pass


async def test_welcome(redis_url: str, tmp_path: Path) -> None:
    """The mail is written by the callback, which may come after the result."""
    async with example("welcome", redis_url, tmp_path) as log:
        await wait_until(lambda: "'To: john@example.org: Welcome, John Doe!'" in log.read_text(), "the mail")


@asynccontextmanager
async def example(name: str, redis_url: str, folder: Path) -> AsyncIterator[Path]:
    """Run it beside its worker and compare what it prints; yields the worker's log."""
    environment = os.environ | {"REDIS_URL": redis_url, "USERS": str(folder / "users.db")}
    log = folder / "worker.log"
    with log.open("wb") as output:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", f"examples.{name}.WorkerSettings"), cwd=ROOT, env=environment, stderr=output
        )
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"examples.{name}"), cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )

    try:
        said, _ = await program.communicate()
        assert said.decode() == SHOWN[name]
        yield log
    finally:
        worker.terminate()
        ended = await worker.wait()
    assert ended == 0
