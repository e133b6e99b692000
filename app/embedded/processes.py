"""Keep programs running, and end them in order. No program outlives this process, even if it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 3.0
"""The pause before a restart. Short, because a job that kills its worker must not stop all others."""
LONG_LIVED_S = 30.0
"""A program that ran longer than this restarts after the first pause."""
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class StartError(Exception):
    """A part cannot start. The message is one sentence: what is wrong and what to do."""


class Service:
    """One program. `keep` restarts it whenever it ends, after a pause that doubles up to 3 s."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        grace_s: float,
        keep_open: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command = command
        self._grace_s = grace_s
        self._keep_open = keep_open
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            pass_fds=self._keep_open,
            start_new_session=True,  # Ctrl-C reaches only this process, which stops the programs in order
            preexec_fn=_die_with_parent(os.getpid()),
        )

    async def keep(self) -> None:
        """Restart it whenever it has ended, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while self._process is not None:
            started = time.monotonic()
            code = await self._process.wait()
            pause_s = FIRST_PAUSE_S if time.monotonic() - started > LONG_LIVED_S else pause_s
            print(f"The {self.name} has ended ({_how(code)}); starting it again in {pause_s:.0f} s.", flush=True)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            await self.start()

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL if it has not ended within its grace period."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), self._grace_s)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Send SIGKILL. A pending `stop` then returns at once."""
        if self._process is not None and self.running:
            self._process.kill()


@contextlib.asynccontextmanager
async def running(*services: Service) -> AsyncIterator[None]:
    """Run the services inside this block. They stop at its end, all at the same time."""
    keepers = []
    try:
        for service in services:
            await service.start()
            keepers.append(asyncio.create_task(service.keep()))
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(service.stop() for service in services))


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send the child SIGTERM when this process dies (Linux only)."""
    if sys.platform != "linux":
        return None

    def follow() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the prctl
            os._exit(1)

    return follow


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
