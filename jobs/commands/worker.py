"""`worker`: runs several worker processes, and starts one again that dies."""

import asyncio
import os
import signal
import time

import click

from ..store.cancellation import wait_at_most
from ..worker.process import NUMBER, RECYCLED, send, start
from .frame import Target

BAD_START_S = 5  # A process that ends by itself sooner than this after its first start has wrong settings.
LONGEST_WAIT_S = 30  # Before a process is started again. One that has lived for longer is started again after a second.


@click.command("worker")
@click.argument("settings", metavar="MODULE.WorkerSettings")
@click.option("--processes", type=click.IntRange(1, 1_000), default=1, show_default=True, help="How many to run.")
@click.pass_obj
def worker_command(target: Target, settings: str, processes: int) -> int:
    """Run worker processes, each as `arq MODULE.WorkerSettings` does.

    One that dies is started again, after a second or, if it keeps dying, up to 30. After max_jobs_total or
    max_memory it is started again at once. One that somebody ends, by SIGTERM or `control shutdown`, stays away.

    SIGTERM or Ctrl-C ends all; a second one ends them without waiting for their jobs. With health="HOST:PORT" the
    ports are PORT, PORT + 1 and so on.
    """
    if target.app is not None or target.is_typed:
        raise click.UsageError("worker takes no -A and no --redis-url: name the settings, which have the address")
    return asyncio.run(Supervisor(settings).run(processes))


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
