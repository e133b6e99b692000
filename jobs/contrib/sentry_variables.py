"""Which variables of a stack Sentry may have: none of the library's, and no secrets of the application."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from sentry_sdk.utils import iter_event_frames

from ..tasks import masking, secret_names
from ..tasks.current import Request

FILTERED: Final = "[Filtered]"
SHORTEST, LOOKED_FOR = 4, 32
"""Characters of a hidden argument by which a variable is known to contain it: a shorter one is in too many texts."""
_OWN: Final = {__name__.split(".", maxsplit=1)[0], "arq", "pebble"}
"""Their frames hold calls as they came, and not what the application made of them."""
_NAMED: Final = re.compile(r"""\b([\w-]{1,80})['"]?\s?[=:]""")
"""A name with its value inside a text: `password='x'`, `"token": 1`."""
_UNQUOTED: Final = re.compile(r"""[^'"\\\x00-\x1f\x7f]+""")
"""What is the same in every `repr` of a text."""


def hide_variables(event: Any, hidden_in: Callable[[], frozenset[str]]) -> None:
    """Remove those of our own frames, and the secrets among those of the application.

    A secret is known by its name, or by one of the texts that *hidden_in* returns. All are removed if it raises.
    """
    frames = list(iter_event_frames(event))
    try:
        hidden = hidden_in()
        for frame in frames:
            own = str(frame.get("module") or "").split(".", maxsplit=1)[0] in _OWN
            if own or not isinstance(frame.get("vars"), dict):
                frame.pop("vars", None)
            else:
                frame["vars"] = _shown(frame["vars"], hidden)
    except Exception:  # Sentry would send the event as it is
        for frame in frames:
            frame.pop("vars", None)


def _shown(value: Any, hidden: frozenset[str]) -> Any:
    """What Sentry has made of a variable, without secrets."""
    if isinstance(value, dict):
        return {
            name: FILTERED if secret_names.is_secret(str(name)) else _shown(inner, hidden)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(inner, hidden) for inner in value]
    if not isinstance(value, str):
        return value
    names = (found[1] for found in _NAMED.finditer(value))
    return FILTERED if any(text in value for text in hidden) or any(map(secret_names.is_secret, names)) else value


def hidden_texts(value: Any, seen: Any) -> Iterator[str]:
    """Texts of what is in *value*, and not in what *seen* shows of it."""
    if isinstance(seen, str) and seen == masking.HIDDEN:
        yield from _texts(value)
    elif isinstance(value, dict) and isinstance(seen, dict):
        for name in value.keys() & seen.keys():
            yield from hidden_texts(value[name], seen[name])
    elif isinstance(value, list | tuple) and isinstance(seen, list | tuple):
        for inner, shown in zip(value, seen, strict=False):
            yield from hidden_texts(inner, shown)
    elif isinstance(value, Request) and isinstance(seen, Request):
        yield from hidden_texts([value.args, value.kwargs], [seen.args, seen.kwargs])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)
        return
    parts = _UNQUOTED.findall(value if isinstance(value, str) else str(value))
    longest = max(parts, key=len, default="")[:LOOKED_FOR]
    if len(longest) >= SHORTEST and value not in (None, True, False):
        yield longest
