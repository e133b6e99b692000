"""`make shell`, typed into through a pipe, with a worker beside it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from settings import ROOT
from tests.app.running_site import environment

LINES = """\
await log.delay("Message")
result = await log.delay("Message")
await result.get(timeout=10)
await (await group(multiply.s(i, i + 5) for i in range(10)).delay()).get(timeout=10)
app.name
from quart import current_app
current_app.name == app.name
await Result("nobody")
1 / 0
async def twice(x):
    return await multiply(x, 2)

await twice(21)
"""


async def test_tasks_are_there_and_calls_work_at_once(tmp_path: Path, redis_url: str) -> None:
    environ = environment(tmp_path, REDIS_URL=redis_url)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", "worker.WorkerSettings"), cwd=ROOT, env=environ
    )
    shell = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.shell"),
        cwd=ROOT,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    try:
        out, err = await shell.communicate(LINES.encode())
    finally:
        worker.terminate()
        await worker.wait()

    shown = out.decode().replace(">>> ", "").replace("... ", "").splitlines()
    assert shown[0].startswith("<Result ")
    assert shown[1:] == ["'Message'", "[0, 6, 14, 24, 36, 50, 66, 84, 104, 126]", "'app'", "True", "42"]
    assert "ResultUnknown: no job 'nobody'" in err.decode()
    assert "ZeroDivisionError" in err.decode()
    assert "multiply" in err.decode().splitlines()[1]
    assert shell.returncode == 0


async def test_without_redis_it_says_what_to_start(tmp_path: Path) -> None:
    shell = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.shell"), cwd=ROOT, env=environment(tmp_path), stderr=asyncio.subprocess.PIPE
    )

    _, err = await shell.communicate()

    assert err.decode().startswith("No Redis at")
    assert shell.returncode == 1
