"""The words by which a text is found, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

LONGEST = 100_000  # characters of all words of one text

# Accents of Latin, Greek and Cyrillic letters, points of Hebrew, vowel signs and lengthening of Arabic. The marks of
# other scripts are letters of their own.
ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]")
PLAIN = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "æ": "ae", "œ": "oe"})


def folded(text: str) -> str:
    """The text without case, accents and forms of one letter: `Ｃafé` is `cafe`, and so is `CAFÉ`."""
    small = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", ACCENTS.sub("", small).translate(PLAIN))


def words(text: str) -> list[str]:
    """Each word of the text once, folded. A sentence without spaces is one word."""
    kept = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in folded(text))
    return list(dict.fromkeys("".join(kept).split()))


def words_of(tokens: Sequence[Token]) -> str:
    """The words of a parsed text, its code and the captions of its pictures, with a space between two."""
    return " ".join(words("\n".join(_texts(tokens))))[:LONGEST]


def _texts(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield "".join(_inline(token.children or []))
        elif token.type in ("fence", "code_block"):
            yield token.content


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        yield " " if token.type in ("softbreak", "hardbreak") else token.content
