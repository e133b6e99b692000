"""Keeps worker processes running, for `python -m jobs worker`, and starts one, for `arq --watch`."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any

import click

from ..store.cancellation import wait_at_most
from ..worker.process import NUMBER, RECYCLED

BAD_START_S = 5  # A process that ends by itself sooner than this after its first start has wrong settings.
LONGEST_WAIT_S = 30  # Before a process is started again. One that has lived for longer is started again after a second.


class Supervisor:
    """Keeps worker processes running until they are to end, or each of them has ended for good."""

    def __init__(self, settings: str) -> None:
        self._command = "-m", "arq", settings
        self._stdin, self._never_written = os.pipe()  # See `end_with_supervisor`.
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = asyncio.Event()

    async def run(self, processes: int) -> int:
        """Returns 0 if all have ended well, else the highest of their exit codes, or numbers of signals."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, self._end_all)
        return max(await asyncio.gather(*map(self._keep_running, range(processes))))

    def _end_all(self) -> None:
        self._ending.set()
        for process in self._processes.values():
            send(process, signal.SIGTERM)

    async def _keep_running(self, number: int) -> int:
        environment, wait_s, is_first = {**os.environ, NUMBER: str(number)}, 0, True
        while not self._ending.is_set():
            began = time.monotonic()
            process = self._processes[number] = await start(self._command, stdin=self._stdin, env=environment)
            if self._ending.is_set():  # while it was being started
                send(process, signal.SIGTERM)
            code, lived_s = await process.wait(), time.monotonic() - began
            if code in (0, -signal.SIGTERM):
                return 0
            if self._ending.is_set() and code != RECYCLED:
                return abs(code)
            if code == RECYCLED:
                wait_s = 0
            elif is_first and code > 0 and lived_s < BAD_START_S:
                click.echo(f"worker process {number} cannot start, the lines above say why: ending", err=True)
                self._end_all()
                return code
            else:
                wait_s = min(wait_s * 2 or 1, LONGEST_WAIT_S) if lived_s < LONGEST_WAIT_S else 1
                how = f"exit code {code}" if code > 0 else signal.strsignal(-code)
                click.echo(f"worker process {number} died ({how}): it is started again in {wait_s} s", err=True)
            is_first = False
            await wait_at_most(wait_s, self._ending.wait())
        return 0


async def start(command: Iterable[str], **options: Any) -> asyncio.subprocess.Process:
    """Python with this command line. In a session of its own: Ctrl-C comes to this process alone, which hands it on."""
    return await asyncio.create_subprocess_exec(sys.executable, *command, start_new_session=True, **options)


def send(worker: asyncio.subprocess.Process, signum: signal.Signals) -> None:
    """Send a signal to it, unless it has ended by itself.

    Its own `send_signal`, before Python 3.13.1, may take the exit code of one that ends at this moment from who waits.
    """
    if worker.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signum)
