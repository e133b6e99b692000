"""What is measured: one module per queue, with the same names in each, so that one code measures all.

Each module has its tasks, what its worker's command line starts, and `opened()` (a context manager around
a client), `enqueue()` (one no-op), `enqueue_many(n, task, delay_s)` (in its best way), `round_trip()`
(one no-op and its result). Where calls block, `call()` is the no-op that threads can send.
How many jobs its worker runs at once is in BENCH_MAX_JOBS. The other queues are in ../peers.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
OWN = Path(sys.executable).parent


@dataclass(frozen=True)
class Subject:
    """A queue as it is started: the settings differ, the module may be shared."""

    name: str
    module: str
    worker: tuple[str, ...]
    bin: Path = OWN
    environment: dict[str, str] = field(default_factory=dict)
    jobs: int = 5_000  # as many as take a few seconds
    round_trips: int = 200
    waits_at_gate: bool = False

    @property
    def path(self) -> str:
        return f"tests.bench.subjects.{self.module}"


def arq(name: str, module: str, **options: object) -> Subject:
    return Subject(
        name, module, ("arq", f"tests.bench.subjects.{module}.WorkerSettings"), waits_at_gate=True, **options
    )  # type: ignore[arg-type]


STOCK = arq("arq", "stock", jobs=1_500, round_trips=20)
TUNED = arq("arq tuned", "stock", environment={"BENCH_MAX_JOBS": "100", "BENCH_POLL_DELAY": "0.001"}, round_trips=20)
OURS = arq("ours", "ours", jobs=40_000, round_trips=500)
FORGETFUL = arq("ours, no history", "ours_without_history", jobs=40_000)
TRACED = arq("ours, traced", "ours_traced", jobs=20_000)
SITE = Subject("site", "site", ())  # the application: see tests/site.py
