"""The time zones that people choose from: one name for each city, by region. Old names mean the same zones."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from functools import cache
from importlib import resources

TZDATA = resources.files("tzdata") / "zoneinfo"
UTC = "UTC"


def canonical(name: str) -> str:
    """The name of this zone in the list, for an old name too (`Asia/Calcutta`). Empty if it is no zone."""
    name = name if name in listed() else _links().get(name, name)
    if name in ("Etc/UTC", "Etc/GMT"):
        return UTC
    return name if name in listed() or (name in zoneinfo.available_timezones() and "/" in name) else ""


def names_of(zone: str) -> list[str]:
    """All names of this zone, for programs that know only an old one."""
    return [zone, *(old for old, new in _links().items() if new == zone and old not in listed())]


def by_region(chosen: str) -> dict[str, list[tuple[str, str]]]:
    """Region -> zones as (name, city), with *chosen* even if it is not in the list."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for zone in sorted({*listed(), chosen} - {""}):
        region, _, city = zone.partition("/")
        found[region if city else "World"].append((zone, (city or zone).replace("_", " ").replace("/", ": ")))
    return dict(found)


@cache
def listed() -> frozenset[str]:
    """The zones of the table by countries, and UTC."""
    lines = (TZDATA / "zone.tab").read_text().splitlines()
    names = {line.split("\t")[2] for line in lines if not line.startswith("#")}
    return frozenset({UTC, *names} & zoneinfo.available_timezones())


@cache
def _links() -> dict[str, str]:
    """Old name -> the name of the zone that it means."""
    words = [line.split() for line in (TZDATA / "tzdata.zi").read_text().splitlines() if line.startswith("L ")]
    direct = {old: new for _, new, old in words}
    return {old: direct.get(new, new) for old, new in direct.items()}
