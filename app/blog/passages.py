"""The part of a post where the words of a search are, with these words marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape

from markupsafe import Markup, escape

from app.blog.markdown import searching

BEFORE, LENGTH = 80, 280
"""Characters shown before the first word found, and in all."""
BLOCK_END = re.compile(r"</(?:p|li|h\d|t[dh]|pre|div|blockquote)>|<br>")
IMAGE, TAG = re.compile(r'<img [^>]*\balt="([^"]*)"[^>]*>'), re.compile(r"<[^>]*>")
# A letter with what belongs to it: marks, Korean letters that form one syllable, sound marks of narrow Japanese.
CLUSTER = re.compile(
    r"[\u1100-\u11ff]+|.[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u3099\u309a\uff9e\uff9f]*", re.S
)


def passage(html: str, words: Sequence[str]) -> Markup | None:
    """The text of sanitised HTML around the first of these folded words. None if it has none of them."""
    text = " ".join(unescape(TAG.sub("", IMAGE.sub(r"\1", BLOCK_END.sub(" ", html)))).split())
    found = spans(text, words)
    if not found:
        return None
    start = max(found[0][0] - BEFORE, 0)
    if start:
        start = text.find(" ", start, found[0][0]) + 1 or start
    end = max(start + LENGTH, found[0][1])
    if end < len(text):
        blank = text.rfind(" ", found[0][1], end)
        end = blank if blank >= end - LENGTH // 10 else end
    shown = _marked(text, [span for span in found if span[1] <= end], start, min(end, len(text)))
    return Markup("{}{}{}").format("…" if start else "", shown, "…" if end < len(text) else "")


def marked(text: str, words: Sequence[str]) -> Markup:
    """The whole text, with these folded words marked."""
    return _marked(text, spans(text, words), 0, len(text))


def spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where these folded words are, in order. None touches another."""
    folded, origin, at = [], [], 0
    for cluster in CLUSTER.findall(text):
        letters = _folded(cluster)
        folded.append(letters)
        origin += [(at, at + len(cluster))] * len(letters)
        at += len(cluster)
    one_of = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))) or r"(?!)")
    merged: list[tuple[int, int]] = []
    for match in one_of.finditer("".join(folded)):
        start, end = origin[match.start()][0], origin[match.end() - 1][1]
        if merged and start <= merged[-1][1]:
            start, _ = merged.pop()
        merged.append((start, end))
    return merged


def _marked(text: str, found: Sequence[tuple[int, int]], start: int, end: int) -> Markup:
    parts = []
    for first, last in found:
        parts += [escape(text[start:first]), Markup("<mark>{}</mark>").format(text[first:last])]
        start = last
    return Markup("").join([*parts, escape(text[start:end])])


@lru_cache(8192)
def _folded(cluster: str) -> str:
    return searching.folded(cluster)
