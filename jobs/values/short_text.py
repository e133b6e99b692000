"""Any value as one short line, in bounded time: for logs, pages, commands and error messages."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

DEEPEST = 64  # Levels of a nested value that are shown; below them `…` is shown.
CUT = "…"
LONG_INT = 14_000  # Bits of the longest number that is written in digits: Python refuses to write 4,300 of them.

_SHORT = frozenset({bool, float, type(None)})
_LISTS = frozenset({dict, list, tuple})
_BRACKETS: dict[Any, tuple[str, str]] = {
    list.__repr__: ("[", "]"),
    tuple.__repr__: ("(", ")"),
    set.__repr__: ("{", "}"),
    frozenset.__repr__: ("frozenset({", "})"),
}


def text(value: Any, limit: int = 80) -> str:
    """Its `repr()`, at most *limit* characters, in the time that these take, whatever its `__repr__` does."""
    kind = type(value)
    if kind is str or kind is bytes:
        return cut(repr(value[: limit + 1]), limit)
    if _is_small(value):
        return cut(repr(value), limit)
    written = ""
    try:
        for part in _parts(value, limit + 1, DEEPEST):
            written += part
            if len(written) > limit:
                break
    except Exception as error:  # a value that changes while it is read, or that is made to hurt
        written += f"<{type(error).__name__}>"
    return cut(written, limit)


def said(error: BaseException, limit: int) -> str:
    """What `str()` of an exception says, at most *limit* characters, whatever its `__str__` does."""
    try:
        return cut(str(error), limit)
    except Exception as mistake:
        return f"<its text cannot be read: {type(mistake).__name__}>"


def cut(text: str, limit: int) -> str:
    """At most *limit* characters; what is left out shows as one more."""
    return text if len(text) <= limit else text[: limit - 1] + CUT


def count(n: int, what: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def time_text(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "?"


def duration_text(seconds: float) -> str:
    """`<1 ms`, `12 ms`, `3.2 s`, `5 min`, `2 h`, `4 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or not seconds else "<1 ms"


def _parts(value: Any, room: int, depth: int) -> Iterator[str]:
    """What is written of it, in pieces: of a text inside it at most *room* characters, of lists *depth* levels."""
    kind: Any = type(value)
    if kind is str or kind is bytes:
        return (yield repr(value[:room]))
    if _is_short(value):
        return (yield repr(value))
    form = kind.__repr__
    below = partial(_parts, room=room, depth=depth - 1)
    items: Iterator[Iterable[str]]
    if form in _BRACKETS and value:
        is_single = form is tuple.__repr__ and len(value) == 1
        first, last = ("(", ",)") if is_single else _BRACKETS[form]
        items = map(below, value)
    elif form is dict.__repr__:
        first, last = "{", "}"
        items = (chain(below(key), (": ",), below(inner)) for key, inner in value.items())
    elif form is BaseException.__repr__:
        first, last, items = f"{kind.__name__}(", ")", map(below, value.args)
    elif is_dataclass(kind) and hasattr(form, "__wrapped__"):  # its repr() was made by @dataclass
        first, last = f"{type(value).__qualname__}(", ")"
        shown = (field.name for field in fields(value) if field.repr)
        items = (chain((f"{name}=",), below(getattr(value, name))) for name in shown)
    else:
        return (yield _own(value))
    if depth == 0:
        return (yield CUT)
    yield first
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield from item
    yield last


def _is_short(value: Any) -> bool:
    kind = type(value)
    return kind in _SHORT or (kind is int and value.bit_length() <= 64)


def _is_small(value: Any) -> bool:
    """At most 32 values, none of them long: a quick look that most values pass."""
    values, left = [value], 32
    while values and left > 0:
        one = values.pop()
        left -= 1
        if type(one) in _LISTS and len(one) <= left:
            values += [*one, *one.values()] if type(one) is dict else one
        elif not (_is_short(one) or (type(one) is str and len(one) <= 100)):
            return False
    return not values


def _own(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > LONG_INT:
        return f"<an int of {value.bit_length():,} bits>"
    try:
        return repr(value)
    except Exception as error:
        return f"<a {type(value).__name__} whose repr() raises {type(error).__name__}>"
