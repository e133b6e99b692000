"""A worker's process: how `arq --watch` and `python -m jobs worker` start it, and how it ends other than by itself."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

REPORTS_S = 2
"""How long reports to Sentry may take, if the application uses it."""
NUMBER = "JOBS_PROCESS"
"""The variable that a process has which `python -m jobs worker` has started: its number among the others, from 0."""
PROCESS = os.environ.get(NUMBER, "")
"""What this process has there; '' if it was started in another way."""
RECYCLED = 75
"""The exit code of such a process if it is to be started again at once: after `max_jobs_total` or `max_memory`."""


def end_process(code: int) -> NoReturn:
    """End at once, but for what is logged and reported: that is written."""
    if (sentry := sys.modules.get("sentry_sdk")) is not None:
        sentry.flush(timeout=REPORTS_S)
    logging.shutdown()
    os._exit(code)


def end_with_supervisor() -> None:
    """For a thread: end as by SIGTERM once the supervisor is gone. It holds the other end of the standard input."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


async def start(command: Iterable[str], **options: Any) -> asyncio.subprocess.Process:
    """Python with this command line. In a session of its own: Ctrl-C comes to this process alone, which hands it on."""
    return await asyncio.create_subprocess_exec(sys.executable, *command, start_new_session=True, **options)


def send(worker: asyncio.subprocess.Process, signum: signal.Signals) -> None:
    """Send a signal to it, unless it has ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signum)
