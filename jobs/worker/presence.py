"""What a worker says of itself: what it does, where it runs, since when, and of which versions."""

import contextlib
import os
import platform
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import arq

from .process import memory_mb


@dataclass(frozen=True)
class Statistics:
    """What it does at one moment, for `Worker.statistics()` and the monitor."""

    name: str = ""  # Empty until the worker has started.
    running: int = 0  # Jobs that it holds: their code runs or waits, or its outcome is not recorded yet.
    busy: int = 0  # Slots in use: jobs that run and do not wait for others.
    started: int = 0
    quiet: bool = False
    stopping: bool = False  # It takes no more jobs, and ends with its last.
    slots: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)  # How many have ended, by state.


@dataclass(frozen=True)
class Presence:
    """What a worker reports of itself each time it renews its leases."""

    name: str
    queues: Sequence[str]
    tasks: Mapping[str, str]  # What processes without the code have to know of each task.
    facts: Callable[[], Mapping[str, str | int]]  # What it does now, for the monitor.
    version: str  # Of the application's code; '' if it has none.
    born: float = field(default_factory=time.monotonic)
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def words(self, lease_s: float, lag_s: float = 0) -> list[str | int]:
        """The first words of renew.lua."""
        queues, tasks = ",".join(self.queues), words(self.tasks)
        own = {"queues": queues, "tasks": ",".join(self.tasks), "started": self.started_ms, "version": self.version}
        here = {"host": socket.gethostname(), "pid": os.getpid(), "memory_mb": int(memory_mb())}
        up = {"up_s": int(time.monotonic() - self.born), "lag_ms": int(lag_s * 1000)}
        facts = words({**VERSIONS, **own, **here, **up, **self.facts()})
        return [self.name, int(lease_s * 1000), queues, len(tasks), len(facts), *tasks, *facts]


def words(pairs: Mapping[str, Any]) -> list[Any]:
    return [word for pair in pairs.items() for word in pair]


VERSIONS = {"python": platform.python_version(), "arq": arq.VERSION, "quarq": ""}
with contextlib.suppress(PackageNotFoundError):  # it is used from a checkout
    VERSIONS["quarq"] = version("quarq-jobs")
