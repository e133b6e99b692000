"""Shorten text of any script: the beginning of a text, the slug of an address."""

from __future__ import annotations

import re
import unicodedata

LONGEST_SLUG = 60
JOINER = "\u200d"
FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")
# Characters drawn together with the one before, although they are no marks: joiners, second parts of Thai, Lao,
# Korean and half-width Japanese letters, skin colours, letters inside the flags of England, Scotland and Wales.
LEANS = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
VIRAMA = 9  # Unicode's combining class of the signs that join two consonants


def slug(title: str) -> str:
    """The letters and digits of a title, of any script, with hyphens between the words. May be empty."""
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
    """At most *length* characters. The last one is an ellipsis if the text was cut.

    Cuts at a space in the last tenth, or else between two visible characters, so that scripts without
    spaces lose no more than others.
    """
    if len(text) <= length:
        return text
    end = _boundary(text, length - 1)
    blank = text.rfind(" ", 0, end + 1)
    if blank >= length * 9 // 10:
        end = blank
    return text[:end].rstrip() + "…"


def _boundary(text: str, end: int) -> int:
    """The last index up to *end* that splits no visible character."""
    for index in range(end, max(end - 40, 0), -1):  # a longer character is an attack
        if not _torn(text, index):
            return index
    return end


def _torn(text: str, index: int) -> bool:
    before, after = text[index - 1], text[index]
    if before == JOINER or LEANS.match(after) or unicodedata.category(after)[0] == "M":
        return True
    if unicodedata.combining(before) == VIRAMA and unicodedata.category(after)[0] == "L":
        return True
    if FLAG.match(before) and FLAG.match(after):  # a flag is a pair of these
        run = index
        while run and FLAG.match(text[run - 1]):
            run -= 1
        return (index - run) % 2 == 1
    return False
