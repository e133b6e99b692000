"""Write a calendar as RFC 5545 has it: text escaped, lines folded at 75 bytes, times in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from app.reminders.calendar.events import LONGEST_TEXT, Event

LINE = 75  # bytes, without the line end
LONGEST_SUMMARY = 100  # characters
REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""Control characters that a text may not hold (RFC 5545, 3.3.11)."""
HOURLY = "PT1H"


def write(events: Iterable[Event], *, name: str, home: str, domain: str) -> bytes:
    """The calendar. *home* is the address of the site's reminders, *domain* the end of each UID."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Quarq//Reminders//EN", "CALSCALE:GREGORIAN"]
    lines += [f"NAME:{escaped(name)}", f"X-WR-CALNAME:{escaped(name)}"]
    lines += [f"REFRESH-INTERVAL;VALUE=DURATION:{HOURLY}", f"X-PUBLISHED-TTL:{HOURLY}"]
    for event in events:
        lines += _event(event, home, domain)
    lines.append("END:VCALENDAR")
    return b"".join(folded(line) for line in lines)


def _event(event: Event, home: str, domain: str) -> Iterator[str]:
    first = next((line.strip() for line in event.text.splitlines() if line.strip()), "")
    summary = first[:LONGEST_SUMMARY] + (f" (to {event.to})" if event.to else "")
    yield "BEGIN:VEVENT"
    yield f"UID:{event.name}@{domain}"
    yield f"DTSTAMP:{utc(event.made_at)}"
    yield f"DTSTART:{utc(event.at)}"
    yield f"SEQUENCE:{event.revision}"
    yield f"SUMMARY:{escaped(summary)}"
    yield f"DESCRIPTION:{escaped(event.text[:LONGEST_TEXT])}"
    yield f"URL:{home}{event.pk or ''}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def utc(at: datetime) -> str:
    """A moment, which the database gives in UTC."""
    return f"{at:%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """A value of type TEXT."""
    text = REFUSED.sub("", text.replace("\r\n", "\n"))
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", "\\n")


def folded(line: str) -> bytes:
    """The line on the wire. A continuation begins with a blank, and no character is cut."""
    rest = line.encode("utf-8", "replace")
    parts: list[bytes] = []
    while len(rest) > (room := LINE - bool(parts)):
        while rest[room] & 0xC0 == 0x80:  # inside a character
            room -= 1
        parts.append(rest[:room])
        rest = rest[room:]
    return b"\r\n ".join([*parts, rest]) + b"\r\n"
