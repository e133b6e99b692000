"""Counts jobs across processes without asking Redis, and holds workers at a gate until all are there."""

from __future__ import annotations

import asyncio
import mmap
import os
from pathlib import Path

SLOTS = 1024
GATE_OPEN, FIRST = 0, 1  # then one slot for each process: arrived at the gate, and one more: jobs that ran
_slots: memoryview | None = None


def count() -> None:
    """One more job ran in this process. BENCH_TALLY names the file."""
    global _slots
    if _slots is None:
        _slots = _open(Path(os.environ["BENCH_TALLY"]))
    _slots[_own() + 1] += 1


async def gate(ctx: object = None) -> None:
    """A worker's on_startup: say that this process is ready, and wait until the measurement begins."""
    slots = _open(Path(os.environ["BENCH_TALLY"]))
    slots[_own()] = 1
    while not slots[GATE_OPEN]:  # noqa: ASYNC110 - another process opens it
        await asyncio.sleep(0.005)


class Tally:
    """The reader's side."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(8 * (FIRST + 2 * SLOTS)))
        self._slots = _open(path)

    def total(self) -> int:
        return sum(self._slots[FIRST + 1 :: 2])

    def arrived(self) -> int:
        return sum(self._slots[FIRST::2])

    def open_gate(self) -> None:
        self._slots[GATE_OPEN] = 1

    def reset(self) -> None:
        """Only while no worker runs."""
        for slot in range(len(self._slots)):
            self._slots[slot] = 0


def _own() -> int:
    return FIRST + 2 * (os.getpid() % SLOTS)


def _open(path: Path) -> memoryview:
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8 * (FIRST + 2 * SLOTS))).cast("Q")
