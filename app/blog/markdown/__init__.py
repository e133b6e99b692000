"""Convert Markdown to sanitised HTML, to the words of its first paragraph and to words to search for.

As a program (`__main__.py`) it has limits on CPU time and memory, see app/blog/rendering.py.
It imports nothing else of the site, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from app.blog.markdown import blocks, colours, excerpts, searching

ALLOWED = {
    "a": {"href", "title", "aria-label"},
    "blockquote": {"dir"},
    "br": set[str](),
    "code": {"class"},
    "div": {"class"},
    "em": set[str](),
    "h2": {"id"},
    "h3": {"id"},
    "h4": {"id"},
    "h5": {"id"},
    "h6": {"id"},
    "hr": set[str](),
    "img": {"src", "alt", "title"},
    "li": {"dir"},
    "ol": {"start"},
    "p": set[str](),
    "pre": set[str](),
    "s": set[str](),
    "span": set[str](),
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
    **{tag: ITS_OWN_WAY for tag in ("p", "h2", "h3", "h4", "h5", "h6")},
}
ALIGNED = {tag: {"align": {"left", "center", "right"}} for tag in ("td", "th")}
CLASSES = {"a": {blocks.ANCHOR}, "span": set(colours.CLASSES.values())}

LONGEST_HTML = 1_000_000  # characters

# Control characters except tab and newline, lone surrogates, and the two characters that XML forbids.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

markdown = MarkdownIt("js-default")  # escapes HTML in a text


def html(text: str) -> str:
    """The text as sanitised HTML. Its headings begin at h2, because the h1 of a page is the title.

    ValueError if the HTML exceeds 1,000,000 characters: a text may use one reference of 10 kB 9,000 times.
    """
    return _html(markdown.parse(text))


def first_words(text: str) -> str:
    """The words of the first paragraph on one line, without markup, addresses and pictures."""
    return printable(excerpts.first_words(markdown.parse(text)))


def derived(text: str) -> tuple[str, str, str]:
    """The HTML of a text, its first words, and the words by which it is found."""
    tokens = markdown.parse(text)
    found_by = searching.words_of(tokens)
    beginning = printable(excerpts.first_words(tokens))
    return _html(tokens), beginning, found_by


def _html(tokens: Sequence[Token]) -> str:
    blocks.place_headings(tokens)
    blocks.set_directions(tokens)
    blocks.align_cells(tokens)
    options: Any = {**markdown.options, "highlight": colours.Colours().html}
    rendered = printable(markdown.renderer.render(tokens, OptionsDict(options), {}))  # `&#12;` is a form feed
    if len(rendered) > LONGEST_HTML:
        raise ValueError(f"the HTML takes {len(rendered):,} characters; {LONGEST_HTML:,} are allowed")
    return clean(rendered)


def clean(html: str, *, base: str | None = None) -> str:
    """Remove all but harmless tags and links. Resolve links without a host against *base*, if given."""
    return nh3.clean(
        html,
        tags=set(ALLOWED),
        attributes=ALLOWED,
        attribute_filter=_own_id,
        allowed_classes=CLASSES,
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base) if base else "pass_through",
        set_tag_attribute_values=SET,
        tag_attribute_values=ALIGNED,
    )


def printable(text: str) -> str:
    """The text without the characters that pages, feeds and mails cannot hold. Lines end in a newline."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _own_id(tag: str, name: str, value: str) -> str | None:
    """Keep the ids of headings apart from those of the page."""
    return None if name == "id" and not value.startswith(blocks.SECTION) else value


def _open_table(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return '<div class="scroll"><table>\n'


def _close_table(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


markdown.add_render_rule("table_open", _open_table)
markdown.add_render_rule("table_close", _close_table)
