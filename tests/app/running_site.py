"""`python -m app.embedded` as a person starts it, in a data folder and on a port of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from settings import ROOT, Settings
from tests.waiting import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """This process's environment with these settings, and none that a developer has in `.env`."""
    unset = {item.name.upper(): "" for item in fields(Settings)}
    return os.environ | unset | {"DATA_DIR": str(data_dir)} | settings


class RunningSite:
    """The site and all its processes. `code` is a folder with a copy of the source, if not this one."""

    def __init__(self, data_dir: Path, *, code: Path = ROOT, port: int | None = None, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._code = code
        self._environment = environment(data_dir, PORT=str(self.port), **settings)
        self._output = data_dir.with_name(f"{data_dir.name}-{self.port}.log")

    def launch(self) -> RunningSite:
        """Start it, and do not wait."""
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.embedded"],
                cwd=self._code,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    async def start(self) -> RunningSite:
        """Start it, and wait until it has said where it runs."""
        self.launch()
        await wait_until(lambda: "runs at" in self.output or self.ended, "the site to start", timeout_s=30)
        assert not self.ended, self.output
        return self

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def inbox(self) -> str:
        """The address that opens its inbox, as it has printed it."""
        return next(word for word in self.output.split() if "/inbox/?key=" in word)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    async def wait_ended(self, timeout_s: float = 20) -> int:
        """Its exit code."""
        await wait_until(lambda: self.ended, f"the site to end, which said:\n{self.output}", timeout_s=timeout_s)
        return self.process.returncode

    def processes(self) -> dict[int, str]:
        """Every living process of this data folder, by its environment: pid and command line."""
        mark, found = f"DATA_DIR={self.data_dir}\0".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes() and (folder / "stat").read_text().split()[2] != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                pass  # it has just ended, or is not ours to read
        return found

    def pid_of(self, part: str) -> int | None:
        """The process whose command line holds this word."""
        return next((pid for pid, command in self.processes().items() if part in command), None)

    def kill_all(self) -> None:
        """For the end of a test, however it went."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # one ends with its parent
                os.kill(pid, signal.SIGKILL)
        if hasattr(self, "process"):
            self.process.wait(10)
