"""Every program in `examples/` does what it says, and the README shows the first one as it is."""

from __future__ import annotations

import asyncio
import os
import sys

from settings import ROOT


async def test_quickstart(redis_url: str) -> None:
    environment = os.environ | {"REDIS_URL": redis_url}
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", "examples.quickstart.WorkerSettings"), cwd=ROOT, env=environment
    )
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.quickstart"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )

    try:
        said, _ = await program.communicate()
    finally:
        worker.terminate()
        ended = await worker.wait()

    assert said.decode().split() == ["6", "16", "25"]
    assert ended == 0


def test_the_readme_shows_the_quickstart_as_it_is() -> None:
    program = (ROOT / "examples" / "quickstart.py").read_text()
    shown = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]

    assert shown in program
