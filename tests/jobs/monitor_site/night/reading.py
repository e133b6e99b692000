"""What the sentences of pages and commands mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

TOPICS = {
    "rate-limit": r"the rate limit of (?P<what>\S+), until",
    "paused": r"queue '(?P<what>[^']+)' is paused",
    "no-worker": r"no live worker serves queue '(?P<what>[^']+)'",
    "unknown-task": r"no worker that serves queue '(?P<what>[^']+)' knows the task",
    "due": r"it is due at (?P<what>\d[-\w ]+\d\d:\d\d:\d\d)",
    "busy": r"all \d+ slots of \d+ workers are busy",
}


def reason(text: str, zone: tzinfo = UTC) -> tuple[str, str]:
    """Which of the reasons for waiting a text gives: its queue or task, or the moment in UTC."""
    for code, pattern in TOPICS.items():
        if match := re.search(pattern, text):
            what = match.groupdict().get("what", "")
            return code, in_utc(what, zone) if code == "due" else what
    return "", text


def in_utc(text: str, zone: tzinfo) -> str:
    """Of `2026-12-01 08:15:06`, of `1 Dec 08:15:06`, where the year is this one, or of `1 Jan 2027 08:15:06`."""
    if "-" in text:
        at = datetime.fromisoformat(text)
    else:
        day, time = text.rsplit(" ", 1)
        year = "" if day[-4:].isdecimal() else f" {datetime.now(UTC).year}"
        at = datetime.strptime(f"{day}{year} {time}", "%d %b %Y %H:%M:%S")  # it gets its zone below
    return at.replace(tzinfo=zone).astimezone(UTC).isoformat()


def trend(text: str) -> tuple[str, float]:
    """`drains in 2 min at 20/min` as what it does, and by how many jobs a minute."""
    match = re.search(r"(drains) in [\d.]+ (?:ms|s|min|h|d) at ([\d,]+)/min|(grows) by ([\d,]+)/min", text)
    return (match[1] or match[3], float((match[2] or match[4]).replace(",", ""))) if match else ("", 0.0)


def longest(sentence: str) -> str:
    """The task that took most of a workflow's time."""
    match = re.search(r"; (\S+)(?: \d+ of \d+)? (?:took longest|decided the end)", sentence)
    return match[1] if match else sentence


def only(found: list[str], whole: str) -> str:
    """The one that there is."""
    assert len(found) == 1, (found, whole)
    return found[0]
