"""The memory of a worker's process."""

import resource
import sys
from pathlib import Path

from ..errors import SettingsMistake


def memory_mb() -> float:
    """The resident memory of this process, in MB (2^20 bytes); where the system does not report it, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    return pages * resource.getpagesize() / 2**20


def check_memory(max_memory_mb: float | None) -> None:
    """SettingsMistake if a worker with this limit would do nothing but end, and be started again."""
    if max_memory_mb is not None and (taken_mb := memory_mb()) > max_memory_mb:
        raise SettingsMistake(
            f"max_memory={max_memory_mb:g}: this worker takes {taken_mb:.0f} MB before its first job; allow more"
        )
