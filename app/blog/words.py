"""Cut and shorten words of any script: the beginning of a text, the readable end of an address."""

from __future__ import annotations

import re
import unicodedata

LONGEST_SLUG = 60
JOINER = "\u200d"
FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")
# What is drawn with the character before it although it is no mark: joiners, the second parts of Thai, Lao, Korean
# and half-width Japanese letters, skin colours, and the letters inside the flags of England, Scotland and Wales.
LEANS = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
VIRAMA = 9  # Unicode's class of the signs that tie two consonants together


def slug(title: str) -> str:
    """The letters and digits of a title, of whatever script, with hyphens between the words; may be empty."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" else " "
        for character in unicodedata.normalize("NFKC", title).casefold()
    )
    words = "-".join(kept.split())
    if len(words) <= LONGEST_SLUG:
        return words
    shorter = words[: _boundary(words, LONGEST_SLUG)]
    return shorter.rpartition("-")[0] if "-" in shorter[LONGEST_SLUG // 2 :] else shorter


def beginning(text: str, length: int) -> str:
    """At most *length* characters, the last of them an ellipsis if something was cut off.

    Cut at a blank if one stands in the last tenth, else between two characters as people see them: scripts
    without blanks lose no more than others.
    """
    if len(text) <= length:
        return text
    end = _boundary(text, length - 1)
    blank = text.rfind(" ", 0, end + 1)
    if blank >= length * 9 // 10:
        end = blank
    return text[:end].rstrip() + "…"


def _boundary(text: str, end: int) -> int:
    """The last place not after *end* where no visible character is torn apart."""
    for place in range(end, max(end - 40, 0), -1):  # a longer one is no character, but an attack
        if not _torn(text, place):
            return place
    return end


def _torn(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if before == JOINER or LEANS.match(after) or unicodedata.category(after)[0] == "M":
        return True
    if unicodedata.combining(before) == VIRAMA and unicodedata.category(after)[0] == "L":
        return True
    if FLAG.match(before) and FLAG.match(after):  # a flag is two of these
        run = place
        while run and FLAG.match(text[run - 1]):
            run -= 1
        return (place - run) % 2 == 1
    return False
