"""One queue once: jobs, memory, calls, and how long a caller waits for a result."""

from __future__ import annotations

import statistics

from tests.bench.latency import P50, P99
from tests.bench.peers import Peer
from tests.bench.rig import Rig, memory_of_session_mib
from tests.bench.table import Figures

NOOP = "no-op jobs/s, {} at once"
BEST = "no-op jobs/s, its best"
IN_TURN = "calls/s, in turn"
CALLERS = "calls/s, 32 callers"
BULK = "calls/s, in bulk"
MEMORY = "worker, MiB"
ROWS = (*(NOOP.format(n) for n in (10, 32, 100)), BEST, IN_TURN, CALLERS, BULK, P50, P99, MEMORY)
LESS_IS_BETTER = (P50, P99, MEMORY)


def measure(rig: Rig, peer: Peer) -> Figures:
    """The queue is filled before the worker starts, which is how calls in bulk are measured."""
    figures: Figures = {}
    filled, drained = [], []
    for at_once in peer.at_once:
        subject = peer.running(at_once)
        rig.fresh()
        filled.append(rig.call(subject, "fill", subject.jobs, "noop")["per_second"])
        with rig.workers(subject) as [worker]:
            drained.append(rig.drain(subject, subject.jobs, timeout_s=60))
            figures |= {NOOP.format(at_once): drained[-1], MEMORY: memory_of_session_mib(worker.pid)}
    figures |= {BEST: max(drained), BULK: statistics.median(filled)}
    rig.fresh()
    figures[IN_TURN] = rig.call(subject, "in_turn", 1_000)["per_second"]
    rig.fresh()
    figures[CALLERS] = rig.call(subject, "at_once", 3_200, 32)["per_second"]
    rig.fresh()
    with rig.workers(subject):
        taken = rig.call(subject, "latency", subject.round_trips)
    return figures | {P50: taken["p50"], P99: taken["p99"]}
