"""Numbers in cursors and paths, which anybody may have typed into an address."""

from __future__ import annotations


def number(word: str, digits: int = 18) -> int | None:
    """The whole number that *word* is, in ASCII and with at most so many digits; None if it is none."""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= digits else None
