"""What changes with size: deferred jobs, running jobs, several workers, many jobs."""

from __future__ import annotations

import os

from tests.bench.rig import Rig, memory_mib
from tests.bench.subjects import OURS, TUNED, Subject
from tests.bench.table import Figures, Row, Target, at_least, at_most

SUBJECTS = (TUNED, OURS)
BIG = bool(os.environ.get("BENCH_BIG"))
DEFERRED = 1_000_000 if BIG else 100_000
MANY = 1_000_000 if BIG else 100_000
A_DAY_S = 86_400

BEHIND = f"no-op jobs/s with {DEFERRED:,} deferred, % of without"
BESIDE = "no-op jobs/s beside 1,000 running jobs, % of without"
TWO = "no-op jobs/s of two workers, % of one"
TWO_BUSY = "cores busy with two workers, %"
TWENTY = "no-op jobs/s of twenty workers, % of one"
BYTES_DEFERRED = "bytes in Redis, one deferred job"
BYTES_FINISHED = "bytes in Redis, one finished job"
MEMORY = "memory of {} {}, MiB"
WITH_DEFERRED, AFTER_MANY = f"with {DEFERRED:,} deferred", f"after {MANY:,} more jobs"
GROWTH = f"worker's memory after {MANY:,} more jobs, MiB more"


def both_cores_busy(row: Row) -> bool:
    return row[OURS.name] >= 95


TARGETS = (
    Target(BEHIND, ">= 90 %", at_least(OURS, 90)),
    Target(BESIDE, ">= 90 %", at_least(OURS, 90)),
    Target(TWO, ">= 135 % (or both cores >= 95 % busy)", at_least(OURS, 135), unless=(TWO_BUSY, both_cores_busy)),
    Target(TWENTY, ">= 75 %", at_least(OURS, 75)),
    Target(GROWTH, "<= 5 MiB", at_most(OURS, 5)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    one, _ = crowd(rig, subject, 1)
    two, busy = crowd(rig, subject, 2)
    twenty, _ = crowd(rig, subject, 20)
    figures = {TWO: two / one * 100, TWO_BUSY: busy, TWENTY: twenty / one * 100}
    if subject is OURS:
        figures |= behind(rig, subject) | beside(rig, subject) | after_many(rig, subject)
    return figures


def crowd(rig: Rig, subject: Subject, workers: int) -> tuple[float, float]:
    """Jobs per second of so many processes, let go together, and how busy the machine was."""
    rig.fresh()
    rig.call(subject, "fill", subject.jobs)
    with rig.workers(subject, workers):
        return rig.drain(subject, subject.jobs), rig.busy_percent


def behind(rig: Rig, subject: Subject) -> Figures:
    """The same jobs with and without a long list of jobs that are not due."""
    without, _ = crowd(rig, subject, 1)
    rig.fresh()
    before = rig.used_memory()
    rig.call(subject, "fill", DEFERRED, "noop", A_DAY_S)
    size = (rig.used_memory() - before) / DEFERRED
    rig.call(subject, "fill", subject.jobs)
    with rig.workers(subject) as [process]:
        rate = rig.drain(subject, subject.jobs)
        memory = both(rig, process.pid, WITH_DEFERRED)
    return {BEHIND: rate / without * 100, BYTES_DEFERRED: size, **memory}


def beside(rig: Rig, subject: Subject) -> Figures:
    """The same jobs with and without 1,000 that the same worker is running; 100 slots are free in both."""
    without, _ = crowd(rig, subject, 1)
    rig.fresh()
    rig.call(subject, "fill", 1_000, "long_nap")
    with rig.workers(subject, BENCH_MAX_JOBS="1100"):
        rig.wait_ran(1_000)
        rig.call(subject, "fill", subject.jobs)
        rate = rig.drain(subject, 1_000 + subject.jobs, still_running=1_000)
    return {BESIDE: rate / without * 100}


def after_many(rig: Rig, subject: Subject) -> Figures:
    """Memory of Redis and of the worker, once warm and once old."""
    warm, step = 20_000, 50_000
    rig.fresh()
    with rig.workers(subject) as [process]:
        before = rig.used_memory()
        rig.call(subject, "fill", warm)
        rig.drain(subject, warm)
        size, memory = (rig.used_memory() - before) / warm, memory_mib(process.pid)
        for done in range(warm, warm + MANY, step):
            rig.call(subject, "fill", step)
            rig.drain(subject, done + step)
        grown = memory_mib(process.pid) - memory
        return {BYTES_FINISHED: size, GROWTH: grown, **both(rig, process.pid, AFTER_MANY)}


def both(rig: Rig, worker: int, when: str) -> Figures:
    return {MEMORY.format(who, when): memory_mib(pid) for who, pid in (("worker", worker), ("Redis", rig.server.pid))}
