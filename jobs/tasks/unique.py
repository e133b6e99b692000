"""`@task(unique=Unique("user_id"))`: which calls of a task are one job, and for how long. What is held: unique.lua."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from .. import encoding
from ..errors import SettingsMistake
from ..store.keys import StoredKey
from ..values import checks
from ..values.sendable import RECORDS

UNIQUE: set[str] = set()  # The tasks of this process that have one, by all their names.

Until: TypeAlias = Literal["start", "end"]
OnConflict: TypeAlias = Literal["existing", "replace", "error"]
Span: TypeAlias = float | timedelta
_PLAIN = {str, int, float, bool, type(None)}
ALL, WHOLE = "*", "-"  # Instead of the names of parameters.

_SPAN = checks.or_none(checks.seconds, least=checks.LEAST_SECONDS)
_UNTIL, _ON_CONFLICT = (
    checks.narrowed(checks.of_class(str, "text"), get_args(words).__contains__, " or ".join(map(repr, get_args(words))))
    for words in (Until, OnConflict)
)


class Unique:
    """Calls of a task with the same values of these *parameters* are one job. Without names: of all its parameters;
    None instead of a name: the task as a whole."""

    def __init__(
        self,
        *parameters: str | None,
        until: Until | None = None,
        window: Span | None = None,
        debounce: Span | None = None,
        max_wait: Span | None = None,
        on_conflict: OnConflict | None = None,
    ) -> None:
        """For how long, one of these; without, it is `until="end"`:

        *until*: "end", or "start": the first time that a worker claims the job. *window*: seconds from its call on,
        whatever becomes of it. *debounce*: it starts that many seconds after the last call, *max_wait* after the first
        at the latest, with the arguments of the last.

        *on_conflict* is what a call gets while there is such a job. "existing": its Result. "replace": the same, and
        the job takes the new arguments, if it waits. "error": NotUnique.
        """
        given = {"until": until, "window": window, "debounce": debounce}
        times = [name for name, value in given.items() if value is not None]
        with checks.as_settings_mistake("Unique: "):
            names = () if parameters == (None,) else [checks.name("parameters", name) for name in parameters]
            self.until = checks.or_none(_UNTIL)("until", until)
            self.window, self.debounce = _SPAN("window", window), _SPAN("debounce", debounce)
            self.max_wait = _SPAN("max_wait", max_wait)
            self.on_conflict = _ON_CONFLICT("on_conflict", on_conflict or "existing")
        if len(times) > 1:
            raise SettingsMistake(f"Unique: give {' or '.join(times)}, not both")
        if self.max_wait is not None and self.max_wait < (self.debounce or self.max_wait + 1):
            raise SettingsMistake("Unique: max_wait= goes with debounce=, and is not shorter")
        if self.debounce is not None and on_conflict is not None:
            raise SettingsMistake("Unique: with debounce= the last arguments win: leave on_conflict= out")
        self.parameters: Final = tuple(dict.fromkeys(names))
        self.kind: Final = self.until or (times[0] if times else "end")
        self.names: Final = WHOLE if parameters == (None,) else ",".join(self.parameters) or ALL

    def __repr__(self) -> str:
        return f"<Unique {self.names} {self.kind} {self.on_conflict}>"

    @property
    def replaces(self) -> bool:
        """Does a later call change the job?"""
        return self.debounce is not None or self.on_conflict == "replace"

    def key(self, task: str, values: Mapping[str, Any]) -> StoredKey:
        """The key of a call with these arguments, by name."""
        found = hashlib.blake2b(digest_size=16)
        for name in sorted(self.parameters if self.names != ALL else values):
            if name in values:
                found.update(encoding.pack(name) + same_bytes(values[name]))
        ms, max_wait_ms = (int(1000 * (span or 0)) for span in (self.window or self.debounce, self.max_wait))
        conflict = "replace" if self.replaces else self.on_conflict
        return self.kind, self.names, f"{task}:{found.hexdigest()}", conflict, ms, max_wait_ms


def again(unique: Sequence[Any]) -> StoredKey | tuple[()]:
    """The key under which a job is run again: it is never folded; no window and no debounce is asked."""
    return (unique[0], unique[1], unique[2], "error", 0, 0) if unique and unique[0] in get_args(Until) else ()


def same_bytes(value: Any) -> bytes:
    """The same bytes for the same value, in whatever order a set or a dict has it; a list is the same as a tuple."""
    if (to_plain := RECORDS.get(type(value))) is not None:
        return encoding.pack(["=", type(value).__name__, same_bytes(to_plain(value))])
    if isinstance(value, Mapping):
        return encoding.pack(["{", *sorted(same_bytes(key) + same_bytes(one) for key, one in value.items())])
    if isinstance(value, set | frozenset):
        return encoding.pack(["(", *sorted(map(same_bytes, value))])
    if isinstance(value, list | tuple):
        return encoding.pack(["[", *(one if type(one) in _PLAIN else same_bytes(one) for one in value)])
    return encoding.pack(value)
