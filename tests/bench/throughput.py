"""How many jobs a second one worker process does."""

from __future__ import annotations

from tests.bench.rig import Rig
from tests.bench.subjects import FORGETFUL, OURS, STOCK, TUNED, Subject
from tests.bench.table import Figures, Row, Target, at_least

SUBJECTS = (STOCK, TUNED, OURS, FORGETFUL)
NOOP = "no-op jobs/s, one worker"
NAP = "20 ms jobs/s, one worker, 100 at once"


def history_costs_little(row: Row) -> bool:
    return row[OURS.name] >= 0.85 * row[FORGETFUL.name]


TARGETS = (
    Target(NOOP, "history takes <= 15 %", history_costs_little),
    Target(NAP, ">= 4,400/s", at_least(OURS, 4_400)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    figures = {NOOP: run(rig, subject, "noop", subject.jobs)}
    if subject in (TUNED, OURS):
        figures[NAP] = run(rig, subject, "nap", min(subject.jobs, 15_000))
    return figures


def run(rig: Rig, subject: Subject, task: str, jobs: int) -> float:
    """The queue is filled first, so that neither the caller nor the start of the process is measured."""
    rig.fresh()
    rig.call(subject, "fill", jobs, task)
    with rig.workers(subject):
        return rig.drain(subject, jobs)
