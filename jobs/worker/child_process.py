"""Worker processes that another process runs: `arq --watch`, and `python -m jobs worker`."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterable
from typing import Any


async def start(command: Iterable[str], **options: Any) -> asyncio.subprocess.Process:
    """Python with this command line. In a session of its own: Ctrl-C comes to this process alone, which hands it on."""
    return await asyncio.create_subprocess_exec(sys.executable, *command, start_new_session=True, **options)


def send(worker: asyncio.subprocess.Process, signum: signal.Signals) -> None:
    """Send a signal to it, unless it has ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signum)
