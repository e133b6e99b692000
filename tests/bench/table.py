"""Figures by row and subject; what each has to reach; the table that is printed."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench.subjects import STOCK, Subject

Figures = dict[str, float]
Row = dict[str, float]  # subject's name -> median
Check = Callable[[Row], bool]


@dataclass(frozen=True)
class Target:
    """What a row has to reach, unless another row excuses it. Judged only if its subjects were run.

    The median of the rounds is judged. Of CPU it is the smallest: neighbours add to it, and take nothing from it.
    """

    row: str
    text: str
    reached: Check
    unless: tuple[str, Check] | None = None
    of: Callable[[list[float]], float] = statistics.median

    def verdict(self, table: Table) -> str:
        rows = table.rows(self.of)
        try:
            excused = self.unless is not None and self.unless[1](rows[self.unless[0]])
            return "ok" if self.reached(rows[self.row]) or excused else "MISSED"
        except KeyError:
            return "not run"


def at_least(subject: Subject, least: float) -> Check:
    return lambda row: row[subject.name] >= least


def at_most(subject: Subject, most: float) -> Check:
    return lambda row: row[subject.name] <= most


def times(subject: Subject, least: float, peer: str) -> Check:
    """At least so many times what the peer of this name reached in the same run."""
    return lambda row: row[subject.name] >= least * row[peer]


def part(subject: Subject, most: float, peer: str) -> Check:
    """At most this part of what the peer of this name took in the same run."""
    return lambda row: row[subject.name] <= most * row[peer]


def on_jemalloc() -> bool:
    """Whether the server of this run is built with it."""
    return bool(os.environ.get("BENCH_JEMALLOC"))


class Table:
    """Collects every round's figures; a cell is the median of its rounds, beside the smallest and the largest."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[str, list[float]]] = {}

    def add(self, subject: Subject, figures: Figures) -> None:
        for row, value in figures.items():
            self._cells.setdefault(row, {}).setdefault(subject.name, []).append(value)

    def rows(self, of: Callable[[list[float]], float] = statistics.median) -> dict[str, Row]:
        return {name: {subject: of(values) for subject, values in cells.items()} for name, cells in self._cells.items()}

    def print(self, targets: Iterable[Target]) -> bool:
        """Each row, absolute and beside stock arq, then its targets. True if none was missed."""
        rows, targets = self.rows(), list(targets)
        for name, row in rows.items():
            print(f"\n{name}")
            for subject, value in row.items():
                stock = row.get(STOCK.name)
                against = f"{value / stock:.2f} x arq" if stock and subject != STOCK.name else ""
                values = self._cells[name][subject]
                spread = f"{number(min(values))} to {number(max(values))}"
                print(f"    {subject:14}{number(value):>12}   {spread:24}{against}".rstrip())
            for target in targets:
                if target.row == name:
                    print(f"    {'-> ' + target.text:44}{target.verdict(self)}")
        return all(target.verdict(self) != "MISSED" for target in targets)


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def percentile(values: list[float], share: float) -> float:
    """The smallest value that *share* of all do not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
