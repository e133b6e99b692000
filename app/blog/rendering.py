"""Render untrusted Markdown in a process with limits: some texts would take minutes or gigabytes."""

from __future__ import annotations

import json
from pathlib import Path

from app.blog import limited, markdown
from app.blog.markdown import shortening
from jobs.monitor_site.web.messages import Refused

RENDERER = 2
"""Raise it when the same text becomes other HTML: workers then render the stored posts again."""
LONGEST_BEGINNING = 1_000
PROGRAM = Path(markdown.__file__).with_name("__main__.py")


class TextRefused(Refused):
    """The text cannot be shown. The message says why."""


class Rendered(str):
    """A text in Markdown, with its HTML, the words of its first paragraph, and those by which it is found."""

    __slots__ = ("beginning", "html", "words")

    html: str
    beginning: str
    words: str

    @classmethod
    def of(cls, text: str, html: str, first_words: str, found_by: str) -> Rendered:
        rendered = cls(text)
        rendered.html = html
        rendered.beginning = shortening.beginning(first_words, LONGEST_BEGINNING)
        rendered.words = found_by
        return rendered


def render_here(text: str) -> Rendered:
    """Render in this process, without limits. Only for trusted texts. ValueError: over a megabyte of HTML."""
    return Rendered.of(text, *markdown.derived(text))


async def render(text: str) -> Rendered:
    """Render in a separate process. TextRefused if that takes over 2 s of CPU time or yields over 1 MB of HTML."""
    written = await limited.run(PROGRAM, text.encode())
    if written is None:
        raise TextRefused(
            "too-complex",
            "This text takes too long to render, or its page would exceed 1 MB. The usual cause is "
            "many repeated brackets, links or references: remove some.",
        )
    return Rendered.of(text, *json.loads(written))
