"""The HTML of a mail inside a page, in a sandboxed frame."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser

from quart import Response

# The HTML of a mail is untrusted: no scripts, no forms, no loading. Links open in a new tab.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
POLICY = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'"
WIDE, PHONE, NARROW = 700, 360, 320
"""Widths of a frame in pixels. NARROW is that of a page on a phone, which has margins."""
LOWEST, HIGHEST = 160, 4_000
SIDES = 64
"""What is left and right of the text in the mails of this site."""
INLINE = {"a", "b", "bdi", "em", "i", "span", "strong", "style", "title"}
VOID = {"br", "hr", "img", "link", "meta"}
INHERITED = ("font-size", "line-height", "white-space")
STYLE = re.compile(r"(?<![\w-])([\w-]+):([^;]+)")
"""Begins at a whole word only: else a long word would be read again from each of its letters."""


def mail(html: str) -> Response:
    """The response for `<iframe sandbox="{{ sandbox }}">`. Harmless when opened outside of it."""
    response = Response('<!doctype html><base target="_blank">' + html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@dataclass(frozen=True)
class Heights:
    """How high a frame is: in a usual window, and in one as narrow as a phone. Only the style sheet knows which."""

    usual: int
    narrow: int
    sandbox: str = SANDBOX


def heights(html: str, *, on_phone: bool) -> Heights:
    """Of a frame with this mail. *on_phone*: shown as narrow as on a phone, whatever the window."""
    usual = height(html, PHONE if on_phone else WIDE)
    return Heights(usual, round(height(html, NARROW) * 1.05) + 20)  # rather some room than the last line cut


def height(html: str, width: int) -> int:
    """About how many pixels high a mail is in a frame of this width. The page cannot measure a sandboxed frame."""
    measure = _Measure(min(width, 616) - SIDES)
    measure.feed(html[:500_000] + "<br>")  # not `close()`: it reads all again from each tag that has no end
    return max(LOWEST, min(HIGHEST, round(measure.height)))


@dataclass(frozen=True)
class _Element:
    """An open element, with what it inherits from those around it."""

    tag: str
    hidden: bool
    style: dict[str, str]

    def holding(self, tag: str, style: dict[str, str]) -> _Element:
        hidden = self.hidden or tag in ("head", "style") or style.get("display") == "none"
        return _Element(tag, hidden, self.style | {name: style[name] for name in INHERITED if name in style})

    def pixels(self, name: str, otherwise: int) -> float:
        found = re.match(r"\d{1,3}", self.style.get(name, ""))
        return float(found[0]) if found else otherwise


class _Measure(HTMLParser):
    """Adds up the lines of text, and the margins and paddings of inline styles. No step depends on the depth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.height = 0.0
        self._width = width
        self._line = 0.0
        self._open = [_Element("", False, {})]
        self._tags = Counter[str]()
        """How many elements of each tag are open."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        style = dict(STYLE.findall(dict(attrs).get("style") or ""))
        if tag not in INLINE:
            self.end_line()
        if tag not in VOID:
            self._open.append(self._open[-1].holding(tag, style))
            self._tags[tag] += 1
        if not self._open[-1].hidden:
            self.height += _both_ends(style.get("margin", "")) + _both_ends(style.get("padding", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self.end_line()
        while self._tags[tag]:
            ended = self._open.pop().tag
            self._tags[ended] -= 1
            if ended == tag:
                break

    def handle_data(self, data: str) -> None:
        around = self._open[-1]
        if around.hidden:
            return
        lines = data.split("\n") if around.style.get("white-space") == "pre-wrap" else [" ".join(data.split())]
        for place, line in enumerate(lines):
            if place:
                self.end_line(at_least=1)
            self._line += sum(map(_letters, line)) * around.pixels("font-size", 16) * 0.56

    def end_line(self, at_least: int = 0) -> None:
        lines = math.ceil(self._line / self._width)
        self.height += max(lines, at_least) * self._open[-1].pixels("line-height", 20)
        self._line = 0.0


def _both_ends(value: str) -> int:
    """The pixels above and below of `1px`, `1px 2px` or `1px 2px 3px 4px`."""
    parts = [int(part) for part in re.findall(r"(\d{1,3})(?:px)?(?:\s|$)", value)]
    return (parts[0] + parts[2 if len(parts) > 2 else 0]) if parts else 0


def _letters(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
