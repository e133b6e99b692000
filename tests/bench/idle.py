"""What a worker costs while there is nothing to do."""

from __future__ import annotations

import time

from tests.bench.rig import Rig, cpu_seconds
from tests.bench.subjects import OURS, STOCK, TUNED, Subject
from tests.bench.table import Figures, Target, at_most

SUBJECTS = (STOCK, TUNED, OURS)
CPU = "idle worker, % of a core"
SENT = "idle worker, commands/s sent to Redis"
RUN = "idle worker, commands/s run inside scripts"
WATCHED_S = 12

TARGETS = (Target(CPU, "<= 0.5 %", at_most(OURS, 0.5)), Target(SENT, "<= 2/s", at_most(OURS, 2)))


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    with rig.workers(subject) as [process]:
        rig.call(subject, "fill", 1)
        rig.drain(subject, 1)
        time.sleep(2)
        cpu, began = cpu_seconds(process.pid), time.monotonic()
        sent, run = rig.commands(WATCHED_S)
        took = time.monotonic() - began
        return {CPU: (cpu_seconds(process.pid) - cpu) / took * 100, SENT: sent / took, RUN: run / took}
