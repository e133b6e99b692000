"""The drawing of times: round moments on the axis, and bars that lie where their times do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from jobs.client.job_info import Attempt
from jobs.monitor_site.density_band import COLUMNS, band_of
from jobs.monitor_site.step_bars import LEAST, LEVELS, bars_of
from jobs.monitor_site.time_scale import MOST_TICKS, Scale
from jobs.monitor_site.workflow_steps import Step

ZERO = datetime(2026, 12, 1, tzinfo=UTC)
UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3_600, "d": 86_400}


def after(seconds: float) -> datetime:
    return ZERO + timedelta(seconds=seconds)


@given(st.floats(0.001, 10**8), st.floats(0, 10**6))
def test_a_label_says_where_it_is_and_none_is_cut(length: float, begin: float) -> None:
    scale = Scale(after(begin), after(begin + length), ZERO)

    ticks = scale.ticks()

    assert len(ticks) <= MOST_TICKS
    assert all(0 <= tick.x <= 80 for tick in ticks)
    for tick in ticks:
        number, unit = re.fullmatch(r"([\d,.]+) (\w+)", tick.label).groups()  # type: ignore[union-attr]
        at = float(number.replace(",", "")) * UNITS[unit]
        assert abs((at - begin) / length * 100 - tick.x) < 0.1, tick
    assert len({tick.label for tick in ticks}) == len(ticks)


def test_labels_are_round() -> None:
    for seconds, labels in (
        (41.5, ["0 s", "10 s", "20 s", "30 s"]),
        (0.878, ["0 ms", "200 ms", "400 ms", "600 ms"]),
        (2.9, ["0 s", "0.5 s", "1 s", "1.5 s", "2 s"]),
        (200, ["0 min", "1 min", "2 min"]),
        (400_000, ["0 d", "1 d", "2 d", "3 d"]),
    ):
        assert [tick.label for tick in Scale(ZERO, after(seconds), ZERO).ticks()] == labels


def random_task(rng: Random) -> Step:
    called, wait, run = (rng.uniform(0, 30) for _ in range(3))
    state = rng.choice(["SUCCESS", "FAILURE", "STARTED", "PENDING"])
    step = Step("0", "task", {"task": "t"}, state=state, called=after(called))
    ended = None if state in ("STARTED", "PENDING") else after(called + wait + run)
    if state != "PENDING":
        step.runs.append(Attempt(1, "w", after(called + wait), ended, state, ""))
    step.ended = ended
    return step


def test_bars_lie_where_their_times_do() -> None:
    scale, at = Scale(ZERO, after(100), ZERO), after(100)
    retried = Step("0", "task", {"task": "t"}, state="SUCCESS", called=after(10), ended=after(90))
    retried.runs += [
        Attempt(1, "w", after(20), after(30), "RETRY", ""),
        Attempt(2, "w", after(80), after(90), "SUCCESS", ""),
    ]
    assert [(bar.x, bar.width, bar.kind) for bar in bars_of(retried, scale, at)] == [
        (10, 80, "wait"), (20, 10, "retry"), (80, 10, "of-SUCCESS"),
    ]  # fmt: skip
    rng = Random(7)
    for _ in range(200):
        bars = bars_of(random_task(rng), scale, at)
        assert all(0 <= bar.x <= 100 and bar.width >= 0 and bar.x + bar.width <= 100.001 for bar in bars)
        assert all(bar.width >= LEAST for bar in bars[1:])  # a short failure is seen


def test_a_band_counts_what_ran_and_failed() -> None:
    rng = Random(8)
    for n in (0, 1, 20, 3_000):
        tasks = [random_task(rng) for _ in range(n)]
        band = band_of(Step("", "group", {}, members=tasks), Scale(ZERO, after(90), ZERO), after(90))
        assert band.failures == sum(task.state == "FAILURE" for task in tasks)
        assert (band.most_running > 0) == any(task.runs for task in tasks)
        for bars in (band.waiting, band.running, band.failed):
            assert len(bars) <= COLUMNS
            assert all(1 <= bar.level <= LEVELS for bar in bars)
            assert all(one.x + one.width <= two.x + 0.01 for one, two in pairwise(bars))
        assert bool(band.failed) == bool(band.failures)
    together = [Step("", "task", {}, state="STARTED", called=ZERO) for _ in range(5)]
    for n, step in enumerate(together):
        step.runs.append(Attempt(1, "w", after(n), after(n + 2), "STARTED", ""))
    assert band_of(Step("", "group", {}, members=together), Scale(ZERO, after(9), ZERO), after(9)).most_running == 2
