"""Headings with levels and anchors, the direction of lists and quotations, the alignment of cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from markdown_it.token import Token

from app.blog.markdown.excerpts import words_of
from app.blog.markdown.shortening import slug

SECTION = "section-"
"""The beginning of each heading's id: an id of its own choice could be one of the page."""
ANCHOR = "anchor"


def place_headings(tokens: Sequence[Token]) -> None:
    """Give headings a link to themselves, and close gaps between their levels: screen readers move along them."""
    above: list[str] = []
    taken: set[str] = set()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            above = [*(tag for tag in above if tag < token.tag), token.tag]
            _set_anchor(token, tokens[index + 1], taken)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(above) + 1, 6)}"


def set_directions(tokens: Sequence[Token]) -> None:
    """Let the first letter of each list item and quotation decide where its bullet or bar is.

    `dir="auto"` would not: it skips the paragraphs in them, which have a direction of their own.
    """
    for index, token in enumerate(tokens):
        if token.type in ("list_item_open", "blockquote_open"):
            inside = _inside(tokens, index)
            if direction := next(filter(None, map(_direction, inside)), ""):
                token.attrSet("dir", direction)


def align_cells(tokens: Sequence[Token]) -> None:
    """Say the alignment of a column by an attribute: the site's pages allow no inline style."""
    for token in tokens:
        if token.type in ("th_open", "td_open") and (style := str(token.attrs.pop("style", ""))):
            token.attrSet("align", style.removeprefix("text-align:"))


def _set_anchor(heading: Token, inline: Token, taken: set[str]) -> None:
    first = SECTION + (slug(words_of(inline)) or str(len(taken) + 1))
    name = next(name for name in (first, *(f"{first}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
    taken.add(name)
    heading.attrSet("id", name)
    link = f'<a class="{ANCHOR}" href="#{quote(name)}" aria-label="Link to this section"></a>'
    inline.children = [*(inline.children or []), Token("html_inline", "", 0, content=link)]


def _inside(tokens: Sequence[Token], start: int) -> Iterator[str]:
    """The words inside the block that opens at *start*, heading by heading and paragraph by paragraph."""
    for token in tokens[start + 1 :]:
        if token.nesting == -1 and token.level == tokens[start].level:
            return
        if token.type == "inline":
            yield words_of(token)


def _direction(words: str) -> str:
    """`ltr` or `rtl`, by the first letter that has a direction. Empty if none has."""
    for letter in words:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return ""
