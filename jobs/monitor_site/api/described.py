"""What the code says of its own classes: their docstrings, and the comment behind each field, or the text below it."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize
from functools import cache
from itertools import pairwise
from typing import Any


def text_of(thing: Any) -> str:
    """Its docstring in one line; '' if it has none of its own."""
    text = inspect.cleandoc(thing.__doc__ or "")
    return "" if text.startswith(f"{getattr(thing, '__name__', '')}(") else _one_line(text)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


@cache
def fields_of(kind: type) -> dict[str, str]:
    """The text of each field of a dataclass, of those of its bases too; '' where there is none, or no source."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        classes, comments = _read(base.__module__)
        found |= _fields_in(classes[base.__name__], comments) if base.__name__ in classes else {}
    return found


@cache
def _read(module: str) -> tuple[dict[str, ast.ClassDef], dict[int, str]]:
    """The classes of a module, and the comments behind its code by their lines."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (OSError, TypeError):
        return {}, {}
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}, _comments(source)


def _fields_in(cls: ast.ClassDef, comments: dict[int, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line, below in pairwise([*cls.body, ast.Pass()]):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            last = line.end_lineno or line.lineno
            behind = next((comments[n] for n in range(line.lineno, last + 1) if n in comments), "")
            text = below.value if isinstance(below, ast.Expr) else None
            found[line.target.id] = behind or (_one_line(text.value) if isinstance(text, ast.Constant) else "")
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    texts = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return {line: text for line, text in texts.items() if not text.startswith("type:")}
