"""docs/tutorial.md from its first line to its last, as its reader types it in. What is shown is what is printed."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from settings import ROOT
from tests.documents import CHECKER, FLAGS
from tests.frameworks import environment
from tests.waiting import wait_until

TEXT = (ROOT / "docs" / "tutorial.md").read_text()
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PATIENCE_S = 20


def without_what_varies(text: str) -> str:
    """Names of workers, times of day and durations differ in each run. A short delay is not logged."""
    text = re.sub(r"\b[\w-]+-\d+-[0-9a-f]{6}\b", "WORKER", re.sub(r" delayed=[\d.]+s", "", text))
    return re.sub(r"\d\d:\d\d:\d\d: +\d+\.\d\ds|\d+\.\d\ds", "TIME", text)


@dataclass
class Reader:
    """Types the page in, in a folder of its own."""

    folder: Path
    environ: dict[str, str]
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    printed: str = ""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def save(self, fence: str) -> None:
        """What has the name of a module that is there is added to it."""
        [name] = re.findall(r"\A# (\w+\.py)\n", fence)
        with (self.folder / name).open("a") as module:
            # a reader waits 15 s for the lease of a killed worker
            module.write(fence.replace("=REDIS_URL,", "=REDIS_URL, lease=1, lease_renewal=0.3,") + "\n\n")

    async def type_in(self, fence: str) -> None:
        for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", fence, re.MULTILINE):
            if command.startswith(("arq ", "uvicorn ")):
                self.start(command.replace("--reload", f"--reload --port {self.port}"))
            elif command == "kill -9 %1":
                self.running[0].kill()
            else:
                await self.until_shown(command, shown)

    def start(self, command: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self.running.append(
                subprocess.Popen(command.split(), cwd=self.folder, env=self.environ, stdout=log, stderr=log)
            )

    async def until_shown(self, command: str, shown: str) -> None:
        """As often as needed: a reader is slower than a worker that starts, and a test is not."""
        here = command.replace("localhost:8000", f"localhost:{self.port}")
        here = here.replace("redis://localhost:6379", self.environ["REDIS_URL"])

        def is_shown() -> bool:
            ended = subprocess.run(
                ["bash", "-c", here], cwd=self.folder, env=self.environ, capture_output=True, text=True
            )
            self.printed = ended.stdout + ended.stderr
            return CHECKER.check_output(without_what_varies(shown), without_what_varies(ended.stdout), FLAGS)

        await wait_until(is_shown, f"{command!r} to write\n{shown}", timeout_s=PATIENCE_S)

    async def until_logged(self, fence: str) -> None:
        wanted = without_what_varies(fence).splitlines()
        await wait_until(
            lambda: [line for line in without_what_varies(self.log).splitlines() if line in wanted] == wanted,
            f"the log to have\n{fence}",
            timeout_s=PATIENCE_S,
        )


@pytest.fixture
def reader(tmp_path: Path, redis_url: str) -> Iterator[Reader]:
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    reader = Reader(tmp_path, environment(redis_url), port)
    yield reader
    for process in reader.running:
        process.terminate()
    for process in reader.running:
        process.wait()
    print(reader.printed, reader.log)


@pytest.mark.timeout(240)  # the first run makes an environment
async def test_each_step_shows_what_the_page_shows(reader: Reader) -> None:
    does = {"python": reader.save, "console": reader.type_in, "text": reader.until_logged}
    for language, fence in FENCES:
        await does[language](fence)
