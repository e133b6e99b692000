"""Prometheus' text format 0.0.4: write families of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_BUCKETS = 24
"""Buckets end at powers of two of a millisecond. The last one ends at 2^23 ms, about 2.3 hours."""


@dataclass
class Family:
    """A metric: its name, its kind (`counter`, `gauge` or `histogram`), its help text and its samples."""

    name: str
    kind: str
    help: str
    lines: list[str] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add one sample."""
        self._line(self.name, labels, value)

    def add_times(self, buckets: Mapping[int, int], sum_s: float, **labels: str) -> None:
        """Add a histogram of times. Bucket n holds how many took less than 2^n ms."""
        seen = 0
        for bucket in range(MOST_BUCKETS):
            seen += buckets.get(bucket, 0)
            self._line(f"{self.name}_bucket", {**labels, "le": f"{2**bucket / 1000:g}"}, seen)
        count = sum(buckets.values())
        self._line(f"{self.name}_bucket", {**labels, "le": "+Inf"}, count)
        self._line(f"{self.name}_sum", labels, sum_s)
        self._line(f"{self.name}_count", labels, count)

    def _line(self, name: str, labels: Mapping[str, str], value: float) -> None:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self.lines.append(f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}")


def written(families: Iterable[Family]) -> str:
    """The whole response. Omits families without samples."""
    lines: list[str] = []
    for family in families:
        if family.lines:
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}", *family.lines]
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
