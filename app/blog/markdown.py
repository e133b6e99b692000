"""Convert Markdown to sanitised HTML, and to the words of its first paragraph.

As a program it reads a text and writes both as JSON, with limits on CPU time and memory (see rendering.py).
It imports nothing else of the site, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

ALLOWED = {
    "a": {"href", "title"},
    "blockquote": set[str](),
    "br": set[str](),
    "code": {"class"},
    "div": {"class"},
    "em": set[str](),
    "h2": set[str](),
    "h3": set[str](),
    "h4": set[str](),
    "h5": set[str](),
    "h6": set[str](),
    "hr": set[str](),
    "img": {"src", "alt", "title"},
    "li": set[str](),
    "ol": {"start"},
    "p": set[str](),
    "pre": set[str](),
    "s": set[str](),
    "strong": set[str](),
    "table": set[str](),
    "tbody": set[str](),
    "td": set[str](),
    "th": set[str](),
    "thead": set[str](),
    "tr": set[str](),
    "ul": set[str](),
}
FOCUSABLE = {"tabindex": "0"}  # lets the keyboard scroll a wide block sideways
ITS_OWN_WAY = {"dir": "auto"}  # the first letter of each block decides its direction
SET = {
    **{tag: FOCUSABLE for tag in ("pre", "div")},
    **{tag: ITS_OWN_WAY for tag in ("p", "ul", "ol", "blockquote", "h2", "h3", "h4", "h5", "h6")},
}

LONGEST_HTML = 1_000_000  # characters
CPU_S, MEMORY = 2, 1 << 30

# Control characters except tab and newline, lone surrogates, and the two characters that XML forbids.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

markdown = MarkdownIt("js-default")  # escapes HTML in a text


def html(text: str) -> str:
    """The text as sanitised HTML. Its headings begin at h2, because the h1 of a page is the title.

    ValueError if the HTML exceeds 1,000,000 characters: a text may use one reference of 10 kB 9,000 times.
    """
    tokens = markdown.parse(text)
    _place_headings(tokens)
    rendered = printable(markdown.renderer.render(tokens, markdown.options, {}))  # `&#12;` is a form feed
    if len(rendered) > LONGEST_HTML:
        raise ValueError(f"the HTML takes {len(rendered):,} characters; {LONGEST_HTML:,} are allowed")
    return clean(rendered)


def clean(html: str, *, base: str | None = None) -> str:
    """Remove all but harmless tags and links. Resolve links without a host against *base*, if given."""
    return nh3.clean(
        html,
        tags=set(ALLOWED),
        attributes=ALLOWED,
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base) if base else "pass_through",
        set_tag_attribute_values=SET,
    )


def first_words(text: str) -> str:
    """The words of the first paragraph on one line, without markup, addresses and pictures.

    Of a text without a paragraph: the words of its first heading, list item or cell, or else of a picture or code.
    """
    tokens = markdown.parse(text)
    inline = [token for token in tokens if token.type == "inline"]
    paragraphs = [inside for opening, inside in pairwise(tokens) if _is_paragraph(opening)]
    pictures = [child for token in inline for child in token.children or [] if child.type == "image"]
    coded = [token for token in tokens if token.type in ("fence", "code_block")]
    found = (_words(token.children or [token]) for token in (*paragraphs, *inline, *pictures, *coded))
    lines = (" ".join(printable("".join(words)).split()) for words in found)
    return next(filter(None, lines), "")


def _is_paragraph(token: Token) -> bool:
    """Whether it opens a paragraph outside of lists and quotations."""
    return token.type == "paragraph_open" and token.level == 0


def printable(text: str) -> str:
    """The text without the characters that pages, feeds and mails cannot hold. Lines end in a newline."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type != "image":
            yield token.content


def _place_headings(tokens: Sequence[Token]) -> None:
    """Close gaps between heading levels, because users of screen readers move from heading to heading."""
    above: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            above = [*(tag for tag in above if tag < token.tag), token.tag]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(above) + 1, 6)}"


def _open_table(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return '<div class="scroll"><table>\n'


def _close_table(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


markdown.add_render_rule("table_open", _open_table)
markdown.add_render_rule("table_close", _close_table)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    typed = sys.stdin.buffer.read().decode()
    sys.stdout.write(json.dumps([html(typed), first_words(typed)]))
