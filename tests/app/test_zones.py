"""The list of time zones: each city once, under the name of today; old names mean the same times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from app.accounts import zones


def test_each_zone_is_in_the_list_once_and_none_under_an_old_name() -> None:
    shown = [name for group in zones.by_region("UTC").values() for name, _ in group]

    assert len(shown) == len(set(shown))
    assert 400 < len(shown) < 430
    assert {"Asia/Kolkata", "Europe/Oslo", "America/Argentina/Buenos_Aires", "UTC"} <= set(shown)
    assert not {"Asia/Calcutta", "Europe/Kiev", "US/Pacific", "GMT", "Etc/UTC"} & set(shown)


def test_they_are_grouped_by_region_and_named_by_city() -> None:
    found = zones.by_region("")

    assert list(found) == sorted(found)
    assert ("America/Argentina/Buenos_Aires", "Argentina: Buenos Aires") in found["America"]
    assert found["World"] == [("UTC", "UTC")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"), ("Asia/Saigon", "Asia/Ho_Chi_Minh"), ("US/Pacific", "America/Los_Angeles"),
        ("Etc/UTC", "UTC"), ("GMT", "UTC"), ("Europe/Oslo", "Europe/Oslo"), ("Etc/GMT+5", "Etc/GMT+5"),
        ("", ""), ("Mars/Base", ""), ("../../etc/passwd", ""), ("posixrules", ""), ("a" * 100_000, ""),
    ],
)  # fmt: skip
def test_an_old_name_is_the_zone_of_today(name: str, expected: str) -> None:
    assert zones.canonical(name) == expected


def test_no_name_of_a_zone_changes_its_time() -> None:
    for name in available_timezones():
        if found := zones.canonical(name):
            assert zones.canonical(found) == found
            for month in (1, 7):
                at = datetime(2026, month, 1, tzinfo=UTC)
                offsets = {at.astimezone(ZoneInfo(zone)).utcoffset() for zone in (name, found)}
                assert len(offsets) == 1, (name, found)
    assert {"Asia/Kolkata", "Asia/Calcutta"} <= set(zones.names_of("Asia/Kolkata"))


def test_a_zone_that_is_not_in_the_list_can_be_kept() -> None:
    assert ("Etc/GMT+5", "GMT+5") in zones.by_region("Etc/GMT+5")["Etc"]
