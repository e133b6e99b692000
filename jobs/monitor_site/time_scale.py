"""Moments as places on a time axis, and round moments to write at it."""

from dataclasses import dataclass
from datetime import datetime

_STEPS = (
    *(n / 1000 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400),
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
MOST_TICKS = 6
LAST_LABEL = 80  # Beyond this place its label would be cut on a phone.


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class Scale:
    """From the left to the right end, 0 to 100. Its labels count from *zero*, the call of the workflow."""

    begin: datetime
    end: datetime
    zero: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.begin).total_seconds(), 0.001)

    def x(self, moment: datetime) -> float:
        """Its place; beyond an end, that end."""
        place = (moment - self.begin).total_seconds() / self.seconds * 100
        return round(min(max(place, 0.0), 100.0), 3)

    def ticks(self) -> list[Tick]:
        """At most MOST_TICKS round moments, none so near to the right end that its label would be cut."""
        days = self.seconds / 86_400 / (MOST_TICKS - 1)
        step = next((step for step in _STEPS if self.seconds / step < MOST_TICKS), 86_400 * (int(days) + 1))
        least = max(step, 1) if self.seconds >= 1 else step  # `1.5 s` is shorter than `1,500 ms`
        size, unit = next((size, unit) for size, unit in _UNITS if least >= size)
        since = (self.begin - self.zero).total_seconds()
        first = -int(-since // step) if since > 0 else 0
        found = []
        for n in range(first, first + MOST_TICKS + 1):
            x = (n * step - since) / self.seconds * 100
            if -0.001 <= x <= LAST_LABEL:
                found.append(Tick(round(max(x, 0), 3), f"{n * step / size:,.1f}".removesuffix(".0") + f" {unit}"))
        return found
