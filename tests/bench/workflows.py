"""How long workflows take, and what they keep in Redis and ask of it."""

from __future__ import annotations

import os
import time

from tests.bench.rig import Rig, memory_mib
from tests.bench.subjects import OURS, Subject
from tests.bench.table import Figures, Target, at_most, on_jemalloc

SUBJECTS = (OURS,)
BIG = bool(os.environ.get("BENCH_BIG"))

SMALL = "chord of 1,000, seconds"
MIDDLE = "chord of 10,000, seconds"
LARGE = "chord of 100,000, seconds"
GROWTH = "time per task of a chord of 100,000, x that of 10,000"
CHAIN = "chain of 100, ms per step"
FORTY = "as above, but a chain of 400"
MEMORY = "worker's memory after the largest chord, MiB"
KEPT = "bytes in Redis per task of the largest chord, once ended"
SIX = "bytes in Redis per task, chain of 6 chords of 10"
TWELVE = "bytes in Redis per task, chain of 12 chords of 10"
WAITS = "commands/s above idle while a workflow waits"
WATCHED_S = 12


CHORDS = ((SMALL, 0.10), (MIDDLE, 0.75), (LARGE, 8)) if on_jemalloc() else ()
TARGETS = (
    *(Target(row, f"<= {seconds} s", at_most(OURS, seconds)) for row, seconds in CHORDS),
    Target(GROWTH, "<= 1.15 x", at_most(OURS, 1.15)),
    Target(CHAIN, "<= 0.9 ms", at_most(OURS, 0.9)),
    Target(WAITS, "< 1/s", at_most(OURS, 1)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    figures = {}
    for name, n in ((SMALL, 1_000), (MIDDLE, 10_000), *([(LARGE, 100_000)] if BIG else [])):
        rig.fresh()
        with rig.workers(subject) as [process]:
            before = rig.used_memory()
            figures[name] = rig.call(subject, "workflow", "chord", n)["seconds"]
            figures[MEMORY] = memory_mib(process.pid)
            figures[KEPT] = (rig.used_memory() - before) / n
    if BIG:
        figures[GROWTH] = figures[LARGE] / figures[MIDDLE] / 10
    rig.fresh()
    with rig.workers(subject):
        figures[CHAIN] = rig.call(subject, "workflow", "chain", 100)["seconds"] * 1000 / 100
        figures[FORTY] = rig.call(subject, "workflow", "chain", 400)["seconds"] * 1000 / 400
    figures |= {SIX: bytes_of(rig, subject, 6), TWELVE: bytes_of(rig, subject, 12)}
    return figures | {WAITS: asked_while_waiting(rig, subject)}


def bytes_of(rig: Rig, subject: Subject, chords: int) -> float:
    """All that is left of a workflow that has just ended: tree, journal, records, result."""
    rig.fresh()
    with rig.workers(subject):
        rig.call(subject, "workflow", "chord", 10)
        before = size_of_all(rig)
        rig.call(subject, "workflow", "chords", chords)
        return (size_of_all(rig) - before) / (chords * 11)


def size_of_all(rig: Rig) -> int:
    return sum(rig.redis.memory_usage(key, samples=0) or 0 for key in rig.redis.scan_iter(count=1000))


def asked_while_waiting(rig: Rig, subject: Subject) -> float:
    rig.fresh()
    with rig.workers(subject):
        rig.call(subject, "workflow", "chord", 10)
        time.sleep(2)
        idle, _ = rig.commands(WATCHED_S)
        rig.call(subject, "begin_workflow", "waiting", 10)
        time.sleep(2)
        waiting, _ = rig.commands(WATCHED_S)
        return (waiting - idle) / WATCHED_S
