"""The memory of a worker's process."""

import asyncio
import gc
import resource
import sys
from pathlib import Path


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
