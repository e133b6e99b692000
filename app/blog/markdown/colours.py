"""Colours of code: `<span class="k">` around keywords, and so on. app/static/code.css has the colours."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, Token

LANGUAGES = {
    "bash", "c", "console", "cpp", "csharp", "css", "dart", "diff", "docker", "dockerfile", "elixir", "erlang",
    "go", "haskell", "html", "http", "ini", "java", "javascript", "js", "json", "jsx", "kotlin", "lua", "make",
    "makefile", "markdown", "md", "nginx", "nix", "perl", "php", "postgresql", "powershell", "py", "pycon",
    "python", "r", "rb", "rs", "ruby", "rust", "scala", "sh", "shell", "sql", "sqlite3", "swift", "systemd",
    "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml", "zig", "zsh",
}  # fmt: skip
"""As the names after ``` say."""
CLASSES: dict[Any, str] = {
    Comment: "c",
    Comment.Preproc: "k",
    Generic.Deleted: "gd",
    Generic.Heading: "k",
    Generic.Inserted: "gi",
    Generic.Output: "c",
    Generic.Prompt: "c",
    Keyword: "k",
    Keyword.Type: "t",
    Name.Attribute: "t",
    Name.Builtin: "t",
    Name.Class: "f",
    Name.Decorator: "f",
    Name.Exception: "t",
    Name.Function: "f",
    Name.Tag: "k",
    Number: "n",
    Operator.Word: "k",
    String: "s",
}
LONGEST = 20_000  # characters of code in one block
CPU_S = 0.5


class TooSlow(Exception):
    """The time for colours is over."""


class Colours:
    """Colours the blocks of one text. What takes too long, or is in no known language, has none."""

    timed = False
    """Whether an alarm stops it, also inside a regular expression. Only for a program of its own: see `set_alarm`."""

    def __init__(self) -> None:
        self._until = time.thread_time() + CPU_S

    def html(self, code: str, language: str, attributes: str) -> str:
        """The code as HTML. Empty if it gets no colours."""
        if language.lower() not in LANGUAGES or len(code) > LONGEST:
            return ""
        lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
        try:
            return "".join(self._spans(lexer.get_tokens(code)))
        except TooSlow:
            return ""

    def _spans(self, tokens: Iterable[tuple[Any, str]]) -> Iterator[str]:
        if self.timed:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(self._until - time.thread_time(), 0.001))
        try:
            for name, run in groupby(tokens, key=lambda token: _class_of(token[0])):
                yield _span(name, "".join(text for _, text in run))
                if time.thread_time() > self._until:
                    raise TooSlow
        finally:
            if self.timed:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def set_alarm() -> None:
    """Stop colouring in time, in this process. Some lexers take minutes for a few kB of nonsense."""

    def stop(number: int, frame: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGVTALRM, stop)
    Colours.timed = True


def _span(name: str, text: str) -> str:
    return f'<span class="{name}">{escape(text)}</span>' if name else escape(text)


def _class_of(kind: Any) -> str:
    return next((CLASSES[one] for one in _from_inside(kind) if one in CLASSES), "")


def _from_inside(kind: Any) -> Iterator[Any]:
    while kind is not Token:
        yield kind
        kind = kind.parent
