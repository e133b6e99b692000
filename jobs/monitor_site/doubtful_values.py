"""Whether an edited argument is still what its task takes: a text in place of a number would only fail later."""

import contextlib
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..tasks import registry

_KINDS: Mapping[type, str] = {
    bool: "a truth value", int: "a number", float: "a number", str: "a text", list: "a list", tuple: "a list",
    dict: "an object",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """What JSON calls it; else the name of its type."""
    return next((word for kind, word in _KINDS.items() if isinstance(value, kind)), f"a {type(value).__name__}")


def doubt(task: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Which argument has a value of another kind than its annotation asks for, where this process has the task, or else
    than it had *before*; '' if none has. A None fits anything, and so does what was left as it was."""
    asked = _annotated(task)
    for name, value in after.items():
        if value is None or (name in before and value is before[name]):
            continue
        kinds = asked.get(name) or ([kind_of(before[name])] if before.get(name) is not None else [])
        if kinds and kind_of(value) not in kinds:
            where = "is declared as" if name in asked else "was"
            return f"{name}: it {where} {' or '.join(kinds)}, and this is {kind_of(value)}"
    return ""


def _annotated(task: str) -> dict[str, list[str]]:
    """The kinds of value that each parameter takes; of those whose annotation is of such kinds alone."""
    found: dict[str, list[str]] = {}
    if (known := registry.find(task)) is not None:
        hints: Mapping[str, Any] = {}
        with contextlib.suppress(Exception):  # a name that is not known here
            hints = get_type_hints(known.function)
        for name, hint in hints.items():
            asked = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
            words = [_KINDS.get(get_origin(one) or one) for one in asked if one is not type(None)]
            if all(words):
                found[name] = _unique(words)
    return found


def _unique(words: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word))
