"""Text that others wrote, on its way to a terminal or a log: every character is shown, none is obeyed."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .exceptions import traceback_text
from .short_text import said

JOINERS = "\u200c\u200d"  # Not printable for Unicode, but parts of words (Persian, Hindi) and emoji. They move nothing.
INDENTED = "\n  "


def printable(text: str) -> str:
    """*text* on one line: what a terminal may obey shows as Python writes it, `\\n`, `\\x1b`, `\\u202e`, `\\udc80`."""
    return text if text.isprintable() else _shown(text, lambda c: c.encode("unicode_escape").decode())


def printable_lines(text: str) -> str:
    """The same for a text of several lines, such as a traceback."""
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def printable_json(text: str) -> str:
    """JSON *text* with `\\u` in place of what is not printable. It has the same value."""
    return text if text.isprintable() else _shown(text, lambda c: c if c == "\n" else json.dumps(c)[1:-1])


class PrintableRecords(logging.Filter):
    """For a logger or a handler: what a record quotes is printable, whatever formatter comes after.

    A message and a traceback keep their lines. Each line after the first is indented, so that no text of an exception
    can pass for a record of its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_printable_argument, record.args))
        elif isinstance(record.args, Mapping):
            record.args = {name: _printable_argument(value) for name, value in record.args.items()}
        if isinstance(record.msg, BaseException):
            record.msg = said(record.msg, 100_000)
        if isinstance(record.msg, str) and not record.msg.isprintable():
            record.msg = printable_lines(record.msg).replace("\n", INDENTED)
        if record.exc_info and not record.exc_text:
            error: Any = record.exc_info[1]  # None where `exc_info=True` is not in an `except`
            shown = printable_lines(traceback_text(error, sys.maxsize).rstrip())
            record.exc_text = INDENTED[1:] + shown.replace("\n", INDENTED)
        return True


def _printable_argument(value: object) -> object:
    if isinstance(value, BaseException):
        return printable(said(value, 100_000))
    return printable(value) if isinstance(value, str) else value


def _shown(text: str, escaped: Callable[[str], str]) -> str:
    return "".join(c if c.isprintable() or c in JOINERS else escaped(c) for c in text)
