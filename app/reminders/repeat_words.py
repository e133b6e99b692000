"""Read a repetition in words: `every monday 9:00`, `every day`, `weekdays 8am`, `every 31st 18:00`. English only.

What is left without it is a moment in quick words: the first one.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.reminders import quick_words
from app.reminders.repeat import Repeat
from app.times import NotATime

EVERY, NUMBER = "(?:every|each)", "([1-9][0-9]?)"
WEEKDAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
RULES = [
    (Repeat.DAILY, rf"{EVERY} day|daily"),
    (Repeat.WEEKDAYS, rf"(?:on )?(?:{EVERY} )?weekdays|{EVERY} weekday"),
    (Repeat.WEEKLY, rf"{EVERY} week|weekly|{EVERY}(?= (?:mon(?!th)|tue|wed|thu|fri|sat|sun))"),
    (Repeat.MONTHLY, rf"(?:on )?(?:the )?{NUMBER}(?:st|nd|rd|th)? (?:of )?{EVERY} month"),
    (Repeat.MONTHLY, rf"(?:{EVERY} month|monthly|{EVERY})(?: on)?(?: the)? {NUMBER}(?:st|nd|rd|th)"),
    (Repeat.MONTHLY, rf"{EVERY} month|monthly"),
]
UNKNOWN = (
    "It repeats every day, every weekday, every week or every month. "
    'Write it like "every day 8:00", "weekdays 8:00", "every monday 9:00" or "every 31st 18:00".'
)


def read(typed: str, zone: ZoneInfo, now: datetime) -> tuple[Repeat, datetime]:
    """How often, NEVER if the words do not say, and the first moment as in `quick_words`. NotATime: not understood."""
    words = " ".join(typed.lower().replace(",", " ").split())
    words = re.sub(rf"(?<!\S)(?:on |every )?({WEEKDAY})s(?!\S)", r"every \1", words)
    repeat, number, rest = _without_rule(words)
    if re.search(rf"(?<!\S){EVERY}(?!\S)", rest) or number > 31:
        raise NotATime("no-such-repeat", UNKNOWN)
    first = quick_words.read(rest or "9:00" * (repeat != Repeat.NEVER), zone, now)
    while (repeat == Repeat.WEEKDAYS and first.weekday() > 4) or (number and first.day != number):
        first += timedelta(days=1)
    return repeat, first


def _without_rule(words: str) -> tuple[Repeat, int, str]:
    """The first rule that the words name, its day of the month or 0, and the other words."""
    for repeat, pattern in RULES:
        if found := re.search(rf"(?<!\S)(?:{pattern})(?!\S)", words):
            rest = f"{words[: found.start()]} {words[found.end() :]}"
            return repeat, int(next(filter(None, found.groups()), 0)), rest.strip()
    return Repeat.NEVER, 0, words
