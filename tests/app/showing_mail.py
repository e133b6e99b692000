"""What a mail shows: its sender, and its HTML as a tree, with the styles that hold where a text is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr
from html.parser import HTMLParser

EMPTY = {"meta", "br"}


def sender_of(wire: bytes) -> tuple[str, str]:
    """Name and address. Python 3.11's newer parser keeps the blanks between the encoded words of a name."""
    name, address = parseaddr(str(message_from_bytes(wire.replace(b"\r\n", b"\n"))["From"]))
    return str(make_header(decode_header(name))), address


class Element:
    """An element, or a piece of text (tag `""`)."""

    def __init__(self, tag: str, of: dict[str, str], up: Element | None, own_text: str = "") -> None:
        self.tag, self.of, self.up, self.own_text = tag, of, up, own_text
        self.inside: list[Element] = []

    def walk(self) -> Iterator[Element]:
        """This element and all inside it that are none of text; `own_text` is what is directly in them."""
        yield self
        for one in self.inside:
            if one.tag:
                yield from one.walk()

    def pieces(self) -> Iterator[Element]:
        """All pieces of text, in their order."""
        for one in self.inside:
            yield from [one] if not one.tag else one.pieces()

    def all(self, *tags: str) -> list[Element]:
        return [one for one in self.walk() if one.tag in tags]

    def ups(self) -> Iterator[Element]:
        one: Element | None = self
        while one is not None:
            yield one
            one = one.up

    @property
    def text(self) -> str:
        return " ".join("".join(piece.own_text for piece in self.pieces()).split())

    @property
    def near_style(self) -> str:
        return " ".join(one.of.get("style", "") for one in self.ups())

    def near(self, name: str) -> str:
        return next((one.of[name] for one in self.ups() if name in one.of), "")

    def style(self, name: str) -> str:
        """The value of the nearest element that sets it."""
        found = (re.search(rf"(?:^|;){name}:([^;]+)", one.of.get("style", "")) for one in self.ups())
        return next(match[1] for match in found if match)

    def class_with(self, name: str) -> str:
        """The class of that element."""
        return next(
            one.of.get("class", "") for one in self.ups() if re.search(rf"(?:^|;){name}:", one.of.get("style", ""))
        )


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = self.at = Element("root", {}, None)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.inside.append(element)
        if tag not in EMPTY:
            self.at = element

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> ends <{self.at.tag}>"
        assert self.at.up is not None
        self.at = self.at.up

    def handle_data(self, data: str) -> None:
        self.at.inside.append(Element("", {}, self.at, data))
        self.at.own_text += data.strip()


def read_html(html: str) -> Element:
    """The tree. Each element must be ended in the right place."""
    reader = _Reader(html)
    assert reader.at is reader.root, f"<{reader.at.tag}> is not ended"
    return reader.root


def contrast(one: str, other: str) -> float:
    """Of two colours `#rrggbb`, as WCAG 2 measures it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
