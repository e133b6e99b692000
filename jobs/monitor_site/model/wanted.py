"""What a search asks for, and whether a job is that. Redis has a first look: it takes too many, never too few."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from typing import Any
from uuid import UUID

import msgpack

from ...client.job_info import JobRecord, attempts_of
from ...tasks.masking import Mark
from ...values.short_text import said
from ...values.short_text import text as shown
from .masked_call import MaskedCall

SEARCHED_CHARS = 10_000  # Characters of an exception's text, and of a value as it is shown, that are looked at.
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (?=\d)", re.ASCII)
_AS_SHOWN = re.compile(r"[][(){}<>=,'\"\\]|\dj|(\d|true|false|none|nan|inf):( |$)", re.IGNORECASE)
"""Such a text may be found in arguments as they are shown, and nowhere in what is stored of them."""
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None} | {
    one: float(one) for one in ("nan", "inf", "-inf")
}


@dataclass(frozen=True)
class Needle:
    """What somebody has typed. Text is found in part, a number or a UUID as a whole."""

    typed: str

    @cached_property
    def _numbers(self) -> list[int | float]:
        if not _NUMBER.fullmatch(self.typed):
            return []
        exact, real = Decimal(self.typed), float(self.typed)
        return [int(exact), real] if exact == exact.to_integral_value() else [real]

    @cached_property
    def _uuid(self) -> UUID | None:
        try:
            return UUID(self.typed)
        except ValueError:
            return None

    def is_in(self, value: Any) -> bool:
        """Is it this value, a part of it, or in one of those that it holds, however deep?"""
        if isinstance(value, Mapping):
            return any(map(self.is_in, chain(value, value.values())))
        if isinstance(value, list | tuple | set | frozenset):
            return any(map(self.is_in, value))
        if isinstance(value, bool | int | float | None):
            return self._is(value)
        return self._is(value) or any(self.typed.lower() in text for text in _texts(value))

    def equals(self, value: Any) -> bool:
        """Is it all of this value, or of one in this list: as text in either case, or as people see the value?"""
        if isinstance(value, Mark):
            return False
        if isinstance(value, list | tuple | set | frozenset) and any(map(self.equals, value)):
            return True
        return self._is(value) or self.typed.lower() in _texts(value) or self.typed == shown(value, SEARCHED_CHARS)

    def is_in_shown(self, line: Callable[[int], str]) -> bool:
        """Is it in arguments as people see them? Of those, `is_in` does not know `[1, 2]` and `Decimal('1')`."""
        return _AS_SHOWN.search(self.typed) is not None and self.typed.lower() in line(SEARCHED_CHARS).lower()

    def _is(self, value: Any) -> bool:
        """Is it this constant, number or UUID?"""
        if isinstance(value, int | float | None) and self.typed.lower() in (
            "null" if value is None else "",
            str(value).lower(),
        ):
            return True
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value in self._numbers
        return isinstance(value, UUID) and value == self._uuid

    def as_stored(self) -> list[bytes]:
        """For find.lua: lower-case bytes, one of which each call holds that has the text; []: look at every call."""
        if _AS_SHOWN.search(self.typed):
            return []
        numbers = [n for n in self._numbers if isinstance(n, float) or -(2**63) <= n < 2**64]
        found = [self._part(), *map(msgpack.packb, numbers)]
        if self.typed.lower() in _CONSTANTS:
            found.append(msgpack.packb(_CONSTANTS[self.typed.lower()]))
        if self._uuid is not None:
            found.append(self._uuid.bytes)
        if _MOMENT.match(self.typed):
            found.append(self.typed.replace(" ", "T", 1).encode())
        return [one.lower() for one in found]

    def _part(self) -> bytes:
        """The longest part of the text that has one form of bytes in lower case."""
        if self.typed.lower() == self.typed.upper():  # no letter of it has a case: Chinese, Arabic, digits
            return self.typed.encode(errors="replace")
        runs = re.findall(r"[\x20-\x7e]+", self.typed)
        return max(runs, key=len, default="").encode()


def _texts(value: Any) -> list[str]:
    """What it is as text, in lower case."""
    texts = [said(value, SEARCHED_CHARS) if isinstance(value, BaseException) else str(value)]
    texts += [value.isoformat()] if isinstance(value, datetime | date | time) else []
    return [text.lower() for text in texts]


COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq}
STATES: Mapping[str, tuple[str, str]] = {
    "pending": ("due later", "PENDING"),
    "retry": ("due later", "RETRY"),
    "started": ("running suspended parked", "STARTED"),
    "ended": ("ended", "SUCCESS FAILURE REVOKED"),
    "waiting": ("due", "PENDING RETRY"),
    "scheduled": ("later", "PENDING RETRY STARTED"),  # workflows that are parked until a member ends, too
    "held": ("held", "PENDING RETRY"),  # those of them that wait for a limit of their task
    "running": ("running", "STARTED"),
    "suspended": ("suspended", "STARTED"),  # jobs with steps that wait
    **dict.fromkeys(("success", "succeeded"), ("ended", "SUCCESS")),
    **dict.fromkeys(("failure", "failed"), ("ended", "FAILURE")),
    "revoked": ("ended", "REVOKED"),
}
"""Each word for a state: the sections of a search that have such jobs, and what their records say."""


def took(row: JobRecord, at: datetime) -> float | None:
    return (at - row.started).total_seconds() if row.state == "STARTED" and row.started else row.run_s


def waited(row: JobRecord, at: datetime) -> float | None:
    """From its due time to its start, or until now; None for one whose time has not come."""
    due, end = row.due or row.enqueued, at if row.state in ("PENDING", "RETRY") else row.started or row.finished
    return (end - due).total_seconds() if due and end and due <= end else None


MEASURES: Mapping[str, Callable[[JobRecord, datetime], float | None]] = {
    "took": took, "waited": waited, "attempts": lambda row, at: row.attempts,
    "started": lambda row, at: row.started.timestamp() if row.started else None,
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    at: datetime  # Now.
    states: Sequence[str] = ()  # Any of these words.
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)  # Of task, queue, worker and error: any of these.
    texts: Sequence[Needle] = ()
    arguments: Sequence[tuple[Sequence[str], Needle]] = ()  # By their paths.
    bounds: Sequence[tuple[str, str, float]] = ()  # One of MEASURES, one of COMPARE, and with what.
    since: datetime | None = None
    until: datetime | None = None
    sort: str = ""  # oldest, or one of MEASURES: the most first.
    job_id: str = ""  # One that is asked for by this id is all.
    workflows: bool = False

    def states_in(self, *sections: str) -> str:
        """What the records of wanted jobs in these sections say, with commas."""
        kinds = [STATES[word] for word in self.states or ("pending", "retry", "started", "ended")]
        found = {state for has, states in kinds if {*has.split()} & {*sections} for state in states.split()}
        return ",".join(sorted(found))

    @cached_property
    def in_calls(self) -> bool:
        """Does it ask for more of calls than a row shows?"""
        return bool(self.texts or self.arguments)

    @cached_property
    def first_look(self) -> bytes:
        """For find.lua, packed: of each name its longest known part, and bytes for each text and argument."""
        texts = [needle.as_stored() for needle in (*self.texts, *(needle for _, needle in self.arguments))]
        parts = {
            name: [max(re.split(r"\[.\]|[*?]", f"\0{one}\0"), key=len) for one in self.names.get(name, ())]
            for name in ("task", "queue", "worker", "error")
        }
        packed: bytes = msgpack.packb({**parts, "texts": list(filter(None, texts))}, use_bin_type=False)
        return packed

    def fits(self, row: JobRecord, error_id: str) -> bool:
        """Does its record fit? Its time does, unless it runs: Redis has looked at that."""
        began = None if self.workflows or row.state != "STARTED" else row.started
        if began and not (self.since or began) <= began <= (self.until or began):
            return False
        facts = {"task": row.task, "queue": row.queue, "worker": row.worker, "error": error_id}
        measured = [(MEASURES[what](row, self.at), COMPARE[how], limit) for what, how, limit in self.bounds]
        # only its index says which queue a job is in that stock arq has called
        return all(
            has_name(any_of, facts[name]) for name, any_of in self.names.items() if facts[name] or name != "queue"
        ) and all(value is not None and compare(value, limit) for value, compare, limit in measured)

    def is_in(self, row: JobRecord, name: str, call: MaskedCall, log: bytes, parameters: Sequence[str]) -> bool:
        """Are the texts and the arguments in what may be seen of it? Never because of a secret."""
        named = call.named(parameters) if self.arguments else {}
        seen = [row.id, row.task, row.queue, row.worker, name, call.args, call.kwargs]
        seen += [attempt.text for attempt in attempts_of(log)] if self.texts else []
        return all(
            # `order:7` may be an id, too
            row.id == f"{'.'.join(path)}:{needle.typed}" or any(map(needle.equals, _along(named, path)))
            for path, needle in self.arguments
        ) and all(needle.is_in(seen) or needle.is_in_shown(call.text) for needle in self.texts)


def has_name(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def whole_names(patterns: Sequence[str]) -> list[str]:
    """The names that these patterns are; none if one of them may be several."""
    names = [re.sub(r"\[(.)\]", r"\1", pattern) for pattern in patterns if not re.search(r"(?<!\[)[*?]", pattern)]
    return names if len(names) == len(patterns) else []


def _along(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at the end of a path of names, and of places from 0 on; without a place, of all that a list holds."""
    if not path:
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _along(inner, path[1:]) if str(name) == path[0] else ()
    elif isinstance(value, list | tuple):
        is_place = path[0].isdecimal()
        for inner in value[int(path[0]) :][:1] if is_place else value:
            yield from _along(inner, path[1:] if is_place else path)
