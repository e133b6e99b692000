"""The counters of minutes as counting.lua packs them, and as earlier releases wrote them, one field each."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgpack

from ..store.stored_values import text
from .model.counters import DEPTHS, STATES, counted

Parts: TypeAlias = list[dict[Any, int]]  # What a Count has, as plain dicts: states, wait, run, ms.
PLACES: tuple[tuple[int, str | int], ...] = (
    *((0, state) for state in STATES),
    (3, "wait"),
    (3, "run"),
    *((1, bucket) for bucket in range(25)),
    *((2, bucket) for bucket in range(25)),
)
"""What the numbers in a packed field stand for: which of the Parts, and the key there."""


def sums_of(minutes: Iterable[Mapping[bytes, bytes]]) -> dict[str, Parts]:
    """The sums of these minutes by task and, under '', together."""
    plain, packed, whole = list[dict[bytes, bytes]](), dict[bytes, Parts](), [0] * len(PLACES)
    for fields in minutes:
        others = dict[bytes, bytes]()
        for raw, value in fields.items():
            if raw[:1] == b"=" and not value.isdigit():  # a task's name may begin so too
                _add(packed.setdefault(raw[1:], [{}, {}, {}, {}]), whole, value)
            elif not raw.startswith(DEPTHS):
                others[raw] = value
        plain += [others] if others else []
    found = {text(task): parts for task, parts in packed.items()}
    if packed:
        found[""] = _parts_of(whole)
    for task, count in counted(plain).items() if plain else ():
        for into, more in zip(found.setdefault(task, [{}, {}, {}, {}]), vars(count).values(), strict=True):
            for key, n in more.items():
                into[key] = into.get(key, 0) + n
    return found


def _parts_of(numbers: Sequence[int]) -> Parts:
    parts: Parts = [{}, {}, {}, {}]
    for (part, key), n in zip(PLACES, numbers, strict=True):
        if n:
            parts[part][key] = n
    return parts


def _add(parts: Parts, whole: list[int], packed: bytes) -> None:
    """What is damaged counts as nothing, from there on."""
    with contextlib.suppress(Exception):
        numbers = iter(msgpack.unpackb(packed))
        for place, n in zip(numbers, numbers, strict=True):
            part, key = PLACES[place]
            into = parts[part]
            into[key] = into.get(key, 0) + n
            whole[place] += n
