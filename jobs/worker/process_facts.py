"""What a worker process reports of itself: where it runs, since when, and of which versions."""

from __future__ import annotations

import os
import platform
import socket
import time
from importlib.metadata import PackageNotFoundError, version

from jobs.worker.recycling import memory_mb

_born = time.monotonic()
_started_ms = int(time.time() * 1000)


def process_facts() -> dict[str, str | int]:
    """Of this process, now."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        **VERSIONS,
        "memory_mb": int(memory_mb()),
        "started": _started_ms,
        "up_s": int(time.monotonic() - _born),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # it is used from a checkout
        return ""


VERSIONS = {"python": platform.python_version(), "arq": _version("arq"), "quarq": _version("quarq")}
