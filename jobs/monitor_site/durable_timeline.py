"""The steps of a job with a bar for each, on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .model.durable_steps import StepRow
from .step_bars import LEAST, Bar, between
from .time_scale import Scale

_COLOURS = {"done": "of-SUCCESS", "failed": "of-FAILURE", "timed-out": "of-REVOKED"}


@dataclass(frozen=True)
class DrawnStep:
    row: StepRow
    bar: Bar | None


def drawn(rows: Sequence[StepRow], at: datetime) -> list[DrawnStep]:
    """*at*: now, or the end of the job: what is to come is no part of the axis."""
    began = [row.began for row in rows if row.began]
    if not began:
        return [DrawnStep(row, None) for row in rows]
    scale = Scale(min(began), max(at, *began), min(began))
    return [DrawnStep(row, _bar(row, scale, at)) for row in rows]


def _bar(row: StepRow, scale: Scale, at: datetime) -> Bar | None:
    if row.began is None:
        return None
    end = row.ended or (at if row.state in ("waiting", "given-up") else row.began)
    kind = "wait" if row.kind == "sleep" else _COLOURS.get(row.state, "wait")
    return between(scale, row.began, max(end, row.began), kind, LEAST)
