"""What the code says of its own classes: their docstrings, and the comment behind each field, or the text below it."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from functools import cache
from itertools import pairwise
from typing import Any


def text_of(thing: Any) -> str:
    """Its docstring in one line; '' if it has none of its own."""
    text = inspect.cleandoc(thing.__doc__ or "")
    return "" if text.startswith(f"{getattr(thing, '__name__', '')}(") else " ".join(text.split())


@cache
def fields_of(kind: type) -> dict[str, str]:
    """The text of each field of a dataclass, of those of its bases too; '' where there is none, or no source."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):
            continue
        found |= _fields_in(source)
    return found


def _fields_in(source: str) -> dict[str, str]:
    [cls] = ast.parse(source).body
    if not isinstance(cls, ast.ClassDef):
        return {}
    found, comments = {}, _comments(source)
    for line, below in pairwise([*cls.body, ast.Pass()]):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            last = line.end_lineno or line.lineno
            behind = next((comments[n] for n in range(line.lineno, last + 1) if n in comments), "")
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            found[line.target.id] = behind or (" ".join(str(below.value.value).split()) if is_text else "")  # type: ignore[attr-defined]
    return found


def _comments(source: str) -> dict[int, str]:
    """Those behind code, by their lines."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    texts = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return {line: text for line, text in texts.items() if not text.startswith("type:")}
