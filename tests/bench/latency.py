"""How long an idle worker takes from a call to its result in the caller's hands, and whom a call wakes."""

from __future__ import annotations

import time

from tests.bench.rig import Rig, wakeups
from tests.bench.subjects import OURS, STOCK, TUNED, Subject
from tests.bench.table import Figures, Target, at_most

SUBJECTS = (STOCK, TUNED, OURS)
P50 = "call to result, idle worker, p50 ms"
P99 = "call to result, idle worker, p99 ms"
WOKEN = "workers woken by one call, of 20 idle"

TARGETS = (Target(WOKEN, "about 1 (<= 1.5)", at_most(OURS, 1.5)),)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    with rig.workers(subject):
        taken = rig.call(subject, "latency", subject.round_trips)
    figures = {P50: taken["p50"], P99: taken["p99"]}
    if subject is OURS:
        figures[WOKEN] = woken(rig, subject, workers=20, calls=40)
    return figures


def woken(rig: Rig, subject: Subject, *, workers: int, calls: int, window_s: float = 0.05) -> float:
    """Processes whose main thread ran within 50 ms of a call, less those that run without one."""
    rig.fresh()
    with rig.workers(subject, workers) as processes:
        pids = [process.pid for process in processes]
        rig.call(subject, "fill", workers)
        rig.drain(subject, workers)
        wait_calm(pids)
        calm = sum(stirred(pids, window_s) for _ in range(calls))
        with rig.caller(subject) as call:
            stirring = 0
            for _ in range(calls):
                time.sleep(window_s)
                stirring += stirred(pids, window_s, call)
    return (stirring - calm) / calls


def stirred(pids: list[int], window_s: float, call: object = None) -> int:
    before = [wakeups(pid) for pid in pids]
    if call:
        call()  # type: ignore[operator]
    time.sleep(window_s)
    return sum(wakeups(pid) > count for pid, count in zip(pids, before, strict=True))


def wait_calm(pids: list[int], timeout_s: float = 60) -> None:
    """Until hardly anyone stirs: twenty interpreters take a while to start on two cores."""
    deadline = time.monotonic() + timeout_s
    while sum(stirred(pids, 0.05) for _ in range(20)) > 2 * len(pids) and time.monotonic() < deadline:
        time.sleep(0.5)
