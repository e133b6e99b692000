"""What ours has to reach next to SAQ, Celery and ArdiQ, in the same run."""

from __future__ import annotations

from tests.bench.latency import P50, P99
from tests.bench.peers import QUARQ
from tests.bench.peers.measure import BEST, BULK, CALLERS, NOOP
from tests.bench.table import Table, Target, part, times


def targets(*, jemalloc: bool) -> list[Target]:
    least = {(BEST, "SAQ"): 10 if jemalloc else 7.5, (CALLERS, "SAQ"): 4, (BULK, "SAQ"): 7}
    least |= {(NOOP.format(n), "ArdiQ"): least_of for n, least_of in ((10, 2), (32, 2), (100, 1.6))}
    least[BULK, "ArdiQ"] = 0.9
    ours = QUARQ.subject
    return [
        *(Target(row, f">= {n} x {peer}", times(ours, n, peer)) for (row, peer), n in least.items()),
        *(Target(row, "<= 0.35 x Celery", part(ours, 0.35, "Celery")) for row in (P50, P99)),
    ]


def print_verdicts(table: Table, *, jemalloc: bool) -> bool:
    """One line for each that was measured. True if none was missed."""
    verdicts = [(target, target.verdict(table)) for target in targets(jemalloc=jemalloc)]
    for target, verdict in verdicts:
        if verdict != "not run":
            print(f"    {target.row:36}{target.text:20}{verdict}")
    return all(verdict != "MISSED" for _, verdict in verdicts)
