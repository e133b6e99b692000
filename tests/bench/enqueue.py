"""How fast calls are put into the queue, with no worker running."""

from __future__ import annotations

from tests.bench.rig import Rig
from tests.bench.subjects import OURS, STOCK, Subject
from tests.bench.table import Figures, Target, at_least

SUBJECTS = (STOCK, OURS)
IN_TURN = "calls/s, one caller in turn"
OF_PING = "calls/s, one caller in turn, % of PING"
AT_ONCE = "calls/s, 32 callers"
BULK = "calls/s, in bulk"

TARGETS = (Target(OF_PING, ">= 75 %", at_least(OURS, 75)),)


def measure(rig: Rig, subject: Subject) -> Figures:
    quick = 4 if subject is OURS else 1
    rig.fresh()
    turn = rig.call(subject, "in_turn", 2_000)
    figures = {IN_TURN: turn["per_second"], OF_PING: turn["per_second"] / turn["ping"] * 100}
    rig.fresh()
    figures[AT_ONCE] = rig.call(subject, "at_once", 6_400 * quick, 32)["per_second"]
    rig.fresh()
    figures[BULK] = rig.call(subject, "fill", 10_000 * quick)["per_second"]
    return figures
