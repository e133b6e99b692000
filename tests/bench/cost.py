"""What a job, a call and a task of a workflow cost Redis, the worker and the caller: microseconds of CPU.

CPU, not time, so that a later change sees its cost on a busy machine too. What neighbours take is seen all the same:
they empty the caches. They only ever add, so the smallest of the rounds is judged; more rounds make it sharper.
Instructions, counted by callgrind where valgrind is installed, do not depend on neighbours at all.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.rig import Rig, cpu_seconds
from tests.bench.subjects import OURS, Subject
from tests.bench.table import Figures, Target, at_most, on_jemalloc

SUBJECTS = (OURS,)
JOBS, CALLS, MEMBERS, STEPS = 20_000, 4_000, 5_000, 400
COUNTED = 2_000
AT_ONCE = (100, 10)

BULK = "us of CPU for a call in bulk, {}"
CALL = "us of CPU for a single call, {}"
RUN = "us of CPU for a no-op job (claim + finish), {} at once, {}"
MEMBER = "us of CPU for a member of a chord of {:,}, {}"
STEP = "us of CPU for a step of a chain of {}, {}"
INSTRUCTIONS = "thousand instructions of Redis for a no-op job, {}"

TARGETS = (  # what Redis takes is judged on a server like those that people install
    *([Target(RUN.format(100, "Redis"), "<= 34 us", at_most(OURS, 34), of=min)] if on_jemalloc() else []),
    Target(RUN.format(100, "worker"), "<= 38 us", at_most(OURS, 38), of=min),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    figures = calls(rig, subject)
    for slots in AT_ONCE:
        figures |= jobs(rig, subject, slots)
    figures |= workflow(rig, subject, MEMBER, "chord", MEMBERS) | workflow(rig, subject, STEP, "chain", STEPS)
    return figures | instructions(rig, subject)


class Spent:
    """CPU of processes since it was made, in microseconds for each of n."""

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def each(self, n: int) -> dict[str, float]:
        return {name: (cpu_seconds(pid) - self._before[name]) / n * 1e6 for name, pid in self._pids.items()}


def calls(rig: Rig, subject: Subject) -> Figures:
    figures = {}
    for row, action, n in ((BULK, "fill", JOBS), (CALL, "calls", CALLS)):
        rig.fresh()
        spent = Spent(Redis=rig.server.pid)
        caller = rig.call(subject, action, n)["cpu_us"]
        figures |= {row.format("Redis"): spent.each(n)["Redis"], row.format("caller"): caller}
    return figures


def jobs(rig: Rig, subject: Subject, slots: int) -> Figures:
    """From the moment that the worker, started before, may begin."""
    rig.fresh()
    rig.call(subject, "fill", JOBS)
    with rig.workers(subject, BENCH_MAX_JOBS=str(slots)) as [worker]:
        spent = Spent(Redis=rig.server.pid, worker=worker.pid)
        rig.drain(subject, JOBS)
        return {RUN.format(slots, name): each for name, each in spent.each(JOBS).items()}


def workflow(rig: Rig, subject: Subject, row: str, kind: str, n: int) -> Figures:
    """From the call to the result; a short one before it has warmed the worker."""
    rig.fresh()
    with rig.workers(subject) as [worker]:
        rig.call(subject, "workflow", kind, 20)
        spent = Spent(Redis=rig.server.pid, worker=worker.pid)
        rig.call(subject, "workflow", kind, n)
        return {row.format(n, name): each for name, each in spent.each(n).items()}


def instructions(rig: Rig, subject: Subject) -> Figures:
    """The same in Redis, counted. A script's fixed cost is in it, by batches of 500 calls and of 50 jobs."""
    if not (shutil.which("valgrind") and shutil.which("callgrind_control")):
        return {}
    with tempfile.TemporaryDirectory(prefix="quarq-callgrind-") as folder:
        counts = Path(folder) / "callgrind"
        under = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
        rig = Rig(Path(folder), rig.chosen, under=under)
        try:
            rig.call(subject, "fill", 500)  # and scripts are loaded
            counted(rig.server.pid, counts)
            rig.call(subject, "fill", COUNTED)
            enqueued = counted(rig.server.pid, counts)
            with rig.workers(subject):
                rig.drain(subject, 500 + COUNTED)
                ran = counted(rig.server.pid, counts)
        finally:
            rig.server.kill9()
    return {
        INSTRUCTIONS.format("enqueue"): enqueued / COUNTED / 1000,
        INSTRUCTIONS.format("claim + finish"): ran / (500 + COUNTED) / 1000,
    }


def counted(pid: int, counts: Path) -> int:
    """Instructions since the last time: callgrind writes a file for each, and begins anew."""
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    [dump] = counts.parent.glob(f"{counts.name}.*")
    [total] = [line for line in dump.read_text().splitlines() if line.startswith("totals:")]
    dump.unlink()
    return int(total.split()[1])
