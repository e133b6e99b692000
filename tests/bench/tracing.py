"""What a span for each call and each attempt costs, beside the same without."""

from __future__ import annotations

from tests.bench import throughput
from tests.bench.rig import Rig
from tests.bench.subjects import OURS, TRACED, Subject
from tests.bench.table import Figures, Target

SUBJECTS = (OURS, TRACED)
TARGETS: tuple[Target, ...] = ()
NOOP = "no-op jobs/s, one worker, traced or not"


def measure(rig: Rig, subject: Subject) -> Figures:
    return {NOOP: throughput.run(rig, subject, "noop", subject.jobs)}
