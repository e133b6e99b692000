"""What a worker does at one moment, for `Worker.statistics()` and the monitor."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Statistics:
    name: str = ""
    """Empty until the worker has started."""
    running: int = 0
    """Jobs that it holds: their code runs or waits, or its outcome is not recorded yet."""
    busy: int = 0
    """Slots in use: jobs that run and do not wait for others."""
    started: int = 0
    quiet: bool = False
    stopping: bool = False
    """It takes no more jobs, and ends with its last."""
    slots: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many have ended, by state."""
