"""A worker's process: its memory, and how it is ended."""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

REPORTS_S = 2  # How long reports to Sentry may take, if the application uses it.
NUMBER = "JOBS_PROCESS"  # A variable of each process of `python -m jobs worker`: its number among the others, from 0.
PROCESS = os.environ.get(NUMBER, "")  # What this process has there; '' if it was started in another way.
VERSION = os.environ.get("JOBS_VERSION") or os.environ.get("SENTRY_RELEASE") or ""
"""What the environment calls the application's code: see `version` of WorkerOptions."""
RECYCLED = 75  # The exit code of one that is to be started again at once: after `max_jobs_total` or `max_memory`.


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


def memory_mb() -> float:
    """The resident memory of this process, in MB (2^20 bytes); where the system does not report it, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    return pages * resource.getpagesize() / 2**20


async def collect_rarely() -> None:
    """For a process that is the worker's alone, once it has started: Python looks for garbage among what jobs make, not
    again and again among all that was imported. Jobs leave few cycles, but large ones: it looks when memory grew too.
    """
    gc.collect()
    gc.freeze()
    first, *others = gc.get_threshold()
    gc.set_threshold(first and max(first, 20_000), *others)  # new objects; 0: the application collects by itself
    while first:
        most_mb = memory_mb() * 1.2 + 50
        while memory_mb() < most_mb or not gc.isenabled():  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        gc.collect()
