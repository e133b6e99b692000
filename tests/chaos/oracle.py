"""Reads the ledger: which calls were acknowledged, which runs began, which had their effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    """One attempt at a job: `end` is None if its effect never happened."""

    key: str
    attempt: int
    pid: int
    start: float
    end: float | None = None

    def overlaps(self, other: Run) -> bool:
        """Were both under way at some moment, and both came to an end?"""
        if self.end is None or other.end is None:
            return False
        return self.start < other.end and other.start < self.end


class Oracle:
    """The ledger as it is now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self.runs: dict[str, list[Run]] = defaultdict(list)
        self.notes: list[tuple[float, int, str, str]] = []
        self.ready: dict[int, float] = {}
        self._open: dict[tuple[str, int, int], Run] = {}

    def read(self) -> Oracle:
        """Take in what was appended since the last time."""
        for kind, when, pid, key, number, text in self._lines():
            at, process, attempt = float(when), int(pid), int(number)
            if kind == "start":
                run = Run(key, attempt, process, at)
                self.runs[key].append(run)
                self._open[key, attempt, process] = run
            elif kind == "end":
                self._open[key, attempt, process].end = at
            elif kind == "ready":
                self.ready[process] = at
            else:
                self.notes.append((at, process, key, text))
        return self

    def started(self, key: str) -> int:
        return len(self.runs[key])

    def effects(self, key: str) -> int:
        return sum(run.end is not None for run in self.runs[key])

    def total_effects(self) -> int:
        return sum(run.end is not None for runs in self.runs.values() for run in runs)

    def finished_keys(self) -> int:
        return sum(any(run.end is not None for run in runs) for runs in self.runs.values())

    def duplicates(self) -> int:
        """Effects beyond the first, over all keys."""
        return sum(max(0, self.effects(key) - 1) for key in self.runs)

    def overlapping(self) -> int:
        """Pairs of runs of one key that were under way at the same moment."""
        return sum(
            one.overlaps(other)
            for runs in self.runs.values()
            for place, one in enumerate(runs)
            for other in runs[place + 1 :]
        )

    def most_beside(self, keys: list[str]) -> int:
        """How many runs of these keys, of those that came to an end, were under way at one moment."""
        runs = [run for key in keys for run in self.runs[key] if run.end is not None]
        return max((sum(r.start <= run.start < (r.end or 0) for r in runs) for run in runs), default=0)

    def recoveries(self, pid: int, killed_at: float) -> list[float]:
        """For each run that died with this process: seconds from the kill to the key's next start."""
        return [
            min((other.start for other in runs if other.start > killed_at), default=float("inf")) - killed_at
            for runs in self.runs.values()
            for run in runs
            if run.pid == pid and run.end is None and run.start <= killed_at
        ]

    def _lines(self) -> Iterator[list[str]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self._offset += len(raw)
                yield raw.decode().rstrip("\n").split("\t")
