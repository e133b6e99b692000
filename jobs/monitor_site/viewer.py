"""Somebody who looks at the monitor. Needs no package of the extra."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ..errors import SettingsMistake

LONGEST_NAME = 100


@dataclass(frozen=True)
class Viewer:
    """Somebody who may look at every page; with `can_act` they may change things too.

    `name` is in the audit log with each of their actions, so it should be a login or a number. `timezone` is a name
    like "Europe/Berlin"; without it, times are those of the browser's zone, or UTC. SettingsMistake: one of the three
    cannot be.
    """

    name: str
    can_act: bool = False
    timezone: str = ""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise SettingsMistake(
                f"Viewer(name={self.name!r:.120}): give 1 to {LONGEST_NAME} printable characters, such as a login"
            )
        if self.timezone and zone_of(self.timezone) is None:
            raise SettingsMistake(f"Viewer(timezone={self.timezone!r:.80}): write a zone like 'Europe/Berlin', or ''")


def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of this name; None if there is none."""
    try:
        return ZoneInfo(name) if name and len(name) < 80 else None
    except (KeyError, OSError, ValueError):
        return None
