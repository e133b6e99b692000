"""Arguments that people edit as JSON: what is left as it was shown keeps its stored value, hidden ones too."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ..errors import WrongValue
from ..tasks.masking import HIDDEN, REST, Mark
from ..values.short_text import text

TEXT_CHARS = 100_000  # Of one argument, in the form.
TYPE_CHARS = 200  # Of a value that JSON has no form for.


def shown(masked: Any) -> Any:
    """The plain JSON of a masked value. A value that JSON has no form for is its text."""
    if isinstance(masked, Mark):
        return str(masked)
    if masked is None or isinstance(masked, str | bool | int) or (isinstance(masked, float) and math.isfinite(masked)):
        return masked
    if isinstance(masked, list | tuple):
        return [shown(one) for one in masked]
    if isinstance(masked, dict) and all(isinstance(name, str) for name in masked):
        return {str(name): shown(one) for name, one in masked.items()}
    return text(masked, TYPE_CHARS)


def as_json(masked: Any) -> str:
    """What the form shows of an argument."""
    written = json.dumps(shown(masked), ensure_ascii=False, indent=2)
    return re.sub("[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", written)  # no page can carry these


def read(name: str, typed: str) -> Any:
    """The value of a text. WrongValue says of which argument, and where, the text is no JSON."""
    if len(typed) > TEXT_CHARS:
        raise WrongValue(f"{name}: {len(typed):,} characters; write at most {TEXT_CHARS:,}")
    try:
        return json.loads(typed, parse_constant=_finite, parse_float=_finite)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise WrongValue(f'{name}: no JSON at {at}: {error.msg}. Write "text", 12, true, null, [..]') from None
    except RecursionError:
        raise WrongValue(f"{name}: it is nested too deep") from None
    except ValueError as error:
        raise WrongValue(f"{name}: no JSON: {error}") from None


def merged(name: str, stored: Any, masked: Any, edited: Any) -> Any:
    """The value that is meant: of what was edited the new one, of all else the stored one, in its own type.

    WrongValue where `***` is in another place than before: whose value it stands for is not known.
    """
    if _same(edited, shown(masked)):
        return stored
    if isinstance(masked, dict) and isinstance(edited, dict) and isinstance(shown(masked), dict):
        return {
            key: merged(f"{name}.{key}", stored[key], masked[key], one)
            if key in masked and key in stored
            else _new(f"{name}.{key}", one)
            for key, one in edited.items()
        }
    if isinstance(masked, list | tuple) and isinstance(edited, list):
        is_like_before = len(masked) == len(edited) == len(stored)
        places = [
            _in_list(f"{name}[{n}]", stored[n], masked[n], one) if is_like_before else _new(f"{name}[{n}]", one)
            for n, one in enumerate(edited)
        ]
        return tuple(places) if isinstance(stored, tuple) else places
    return _new(name, edited)


def _in_list(name: str, stored: Any, masked: Any, edited: Any) -> Any:
    """An item that hides something keeps it only if nothing of the item was edited: it may be another one now."""
    if _same(edited, shown(masked)):
        return stored
    return _new(name, edited) if _hides(masked) else merged(name, stored, masked, edited)


def _new(name: str, edited: Any) -> Any:
    if edited in (HIDDEN, REST):
        raise WrongValue(f"{name}: {edited} stands for a value that is not shown: leave it where it was, or replace it")
    if isinstance(edited, list):
        return [_new(f"{name}[{n}]", one) for n, one in enumerate(edited)]
    if isinstance(edited, dict):
        return {key: _new(f"{name}.{key}", one) for key, one in edited.items()}
    return edited


def _hides(masked: Any) -> bool:
    inside = masked.values() if isinstance(masked, Mapping) else masked if isinstance(masked, list | tuple) else ()
    return isinstance(masked, Mark) or masked == HIDDEN or any(map(_hides, inside))


def _same(one: Any, other: Any) -> bool:
    """Are they the same JSON? In Python, 1 == True == 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _finite(written: str) -> float:
    if not math.isfinite(number := float(written)):
        raise ValueError(f"{written:.40} is no JSON number")
    return number
