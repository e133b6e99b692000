"""The words of a parsed text, without its markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import pairwise

from markdown_it.token import Token

IMAGE, ALT = re.compile(r"<img [^>]*>"), re.compile(r'\balt="([^"]*)"')
"""The sanitiser writes `>` and quotes in attributes as entities."""


def first_words(tokens: Sequence[Token]) -> str:
    """The words of the first paragraph on one line.

    Of a text without a paragraph: the words of its first heading, list item or cell, or else of a picture or code.
    """
    inline = [token for token in tokens if token.type == "inline"]
    paragraphs = [inside for opening, inside in pairwise(tokens) if _is_paragraph(opening)]
    pictures = [child for token in inline for child in token.children or [] if child.type == "image"]
    coded = [token for token in tokens if token.type in ("fence", "code_block")]
    found = (_words(token.children or [token]) for token in (*paragraphs, *inline, *pictures, *coded))
    lines = (" ".join("".join(words).split()) for words in found)
    return next(filter(None, lines), "")


def captions(html: str) -> list[str]:
    """What each picture in sanitised HTML shows. Empty where its author did not say it."""
    found = (ALT.search(image) for image in IMAGE.findall(html))
    return [" ".join(unescape(alt[1]).split()) if alt else "" for alt in found]


def words_of(inline: Token) -> str:
    """The words of a heading, paragraph or cell."""
    return "".join(_words(inline.children or []))


def _is_paragraph(token: Token) -> bool:
    """Whether it opens a paragraph outside of lists and quotations."""
    return token.type == "paragraph_open" and token.level == 0


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type != "image":
            yield token.content
