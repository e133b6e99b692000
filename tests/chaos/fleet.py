"""Worker processes: real `arq` ones, each in a session of its own, to be killed, stopped, replaced."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARQ = str(Path(sys.executable).parent / "arq")


class WorkerProcess:
    """One `arq` process and its log."""

    def __init__(self, settings: str, environment: dict[str, str], log: Path, folder: Path) -> None:
        self.log_path = log
        self.folder = folder
        self.killed_at: float | None = None
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [ARQ, settings], cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        self.pid = self._process.pid

    def kill9(self) -> None:
        """SIGKILL; returns once it is gone."""
        self.send(signal.SIGKILL)
        self._process.wait()
        self.killed_at = time.monotonic()

    def send(self, signum: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, signum)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


class Fleet:
    """Starts workers alike; none outlives `close()`."""

    def __init__(self, folder: Path, environment: dict[str, str], settings: str) -> None:
        self._folder = folder
        self._environment = environment
        self.settings = settings
        self.all: list[WorkerProcess] = []

    def start(self, n: int = 1, *, folder: Path = ROOT, **environment: str) -> list[WorkerProcess]:
        """Start n; *folder* has the code that they run."""
        started = []
        for _ in range(n):
            log = self._folder / f"worker-{len(self.all)}.log"
            worker = WorkerProcess(self.settings, os.environ | self._environment | environment, log, folder)
            self.all.append(worker)
            started.append(worker)
        return started

    @property
    def living(self) -> list[WorkerProcess]:
        return [worker for worker in self.all if worker.alive]

    @property
    def killed(self) -> list[WorkerProcess]:
        return [worker for worker in self.all if worker.killed_at is not None]

    def kill_one(self, rng: random.Random, among: list[WorkerProcess]) -> WorkerProcess:
        """SIGKILL one at random."""
        victim = rng.choice(among)
        victim.kill9()
        return victim

    def close(self) -> None:
        for worker in self.living:
            worker.send(signal.SIGCONT)
            worker.kill9()
