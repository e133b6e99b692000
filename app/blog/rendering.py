"""Render untrusted Markdown in a process with limits: some texts would take minutes or gigabytes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from app.blog import markdown, words
from jobs.monitor_site.web.messages import Refused

LONGEST_BEGINNING = 1_000
PATIENCE_S = 20
"""Seconds. The process has 2 s of CPU time, and on a busy machine it may wait for them."""


class TextRefused(Refused):
    """The text cannot be shown. The message says why."""


class Rendered(str):
    """A text in Markdown, with its HTML and the words of its first paragraph."""

    __slots__ = ("beginning", "html")

    html: str
    beginning: str

    @classmethod
    def of(cls, text: str, html: str, first_words: str) -> Rendered:
        rendered = cls(text)
        rendered.html = html
        rendered.beginning = words.beginning(first_words, LONGEST_BEGINNING)
        return rendered


def render_here(text: str) -> Rendered:
    """Render in this process, without limits. Only for trusted texts. ValueError: over a megabyte of HTML."""
    return Rendered.of(text, markdown.html(text), markdown.first_words(text))


async def render(text: str) -> Rendered:
    """Render in a separate process. TextRefused if that takes over 2 s of CPU time or yields over 1 MB of HTML."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(Path(markdown.__file__))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            written, _ = await process.communicate(text.encode())
    except TimeoutError:
        written = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not written:
        raise TextRefused(
            "too-complex",
            "This text takes too long to render, or its page would exceed 1 MB. The usual cause is "
            "many repeated brackets, links or references: remove some.",
        )
    html, first_words = json.loads(written)
    return Rendered.of(text, html, first_words)
