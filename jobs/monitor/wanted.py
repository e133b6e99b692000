"""What a search wants of a job, and whether one fits, at which Redis has had a first look."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgpack

from ..client.job_info import JobRecord, attempts_of
from .masked_call import MaskedCall
from .search_names import ANY, Names
from .search_text import Needle

STATES: Mapping[str, tuple[str, str]] = {
    "pending": ("due later", "PENDING"),
    "retry": ("due later", "RETRY"),
    "started": ("running parked", "STARTED"),
    "ended": ("ended", "SUCCESS FAILURE REVOKED"),
    "waiting": ("due", "PENDING RETRY"),
    "scheduled": ("later", "PENDING RETRY STARTED"),  # workflows that are parked until a member ends, too
    "running": ("running", "STARTED"),
    **dict.fromkeys(("success", "succeeded"), ("ended", "SUCCESS")),
    **dict.fromkeys(("failure", "failed"), ("ended", "FAILURE")),
    "revoked": ("ended", "REVOKED"),
}
"""Each word for a state: the sections of a search that have such jobs, and what their records say."""
_ALL = ("pending", "retry", "started", "ended")
COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq}
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Wanted:
    states: tuple[str, ...] = ()  # Words of STATES, any of them.
    names: Mapping[str, Names] = field(default_factory=dict)  # Of task, queue, worker and error.
    texts: tuple[Needle, ...] = ()
    arguments: tuple[tuple[tuple[str, ...], Needle], ...] = ()  # Each with its path.
    bounds: tuple[tuple[str, str, float], ...] = ()  # One of MEASURES, one of COMPARE, and with what.
    since: datetime | None = None
    until: datetime | None = None
    at: datetime = EARLIEST
    sort: str = ""
    job_id: str = ""  # A query of one word may be an id.
    workflows: bool = False

    def states_in(self, *sections: str) -> list[str]:
        """What the records of wanted jobs in these sections say."""
        kinds = [STATES[word] for word in self.states or _ALL]
        return sorted({state for has, states in kinds if set(has.split()) & {*sections} for state in states.split()})

    @cached_property
    def first_look(self) -> bytes:
        """For find.lua, packed."""
        texts = [needle.as_stored() for needle in (*self.texts, *(value for _, value in self.arguments))]
        names = {name: self.names.get(name, ANY).first_look for name in ("task", "queue", "worker", "error")}
        packed: bytes = msgpack.packb(names | {"texts": list(filter(None, texts))}, use_bin_type=False)
        return packed

    def fits(self, row: JobRecord) -> bool:
        """Does what its record says fit? Its queue and its error do: Redis has looked at them."""
        since, until = self.since or EARLIEST, self.until or LATEST
        return (
            all(self.names[name].fit(getattr(row, name)) for name in ("task", "worker") if name in self.names)
            and all(_compares(MEASURES[what](row, self.at), how, limit) for what, how, limit in self.bounds)
            and (row.state != "STARTED" or self.workflows or since <= (row.started or EARLIEST) <= until)
        )

    def is_in(self, row: JobRecord, name: str, call: MaskedCall, log: bytes, parameters: Sequence[str]) -> bool:
        """Are the texts and the arguments in what may be seen of it? Never because of a secret."""
        named = call.named(parameters) if self.arguments else {}
        if not all(any(map(value.equals, _along(named, path))) for path, value in self.arguments):
            return False
        seen = [row.id, row.task, row.queue, row.worker, name, call.args, call.kwargs]
        seen += [attempt.text for attempt in attempts_of(log)] if self.texts else []
        return all(text.is_in(seen) or text.is_in_shown(call.text) for text in self.texts)


EVERY_JOB = Wanted()


def _took(row: JobRecord, at: datetime) -> float | None:
    return (at - row.started).total_seconds() if row.state == "STARTED" and row.started else row.run_s


def _waited(row: JobRecord, at: datetime) -> float | None:
    """From its due time to its start, or until now; None for one whose time has not come."""
    due, end = row.due or row.enqueued, at if row.state in ("PENDING", "RETRY") else row.started or row.finished
    return (end - due).total_seconds() if due and end and due <= end else None


MEASURES: Mapping[str, Callable[[JobRecord, datetime], float | None]] = {
    "took": _took,
    "waited": _waited,
    "started": lambda row, at: row.started.timestamp() if row.started else None,
    "attempts": lambda row, at: row.attempts,
}
"""What a job is measured by, some in seconds."""


def _compares(measured: float | None, how: str, limit: float) -> bool:
    return measured is not None and COMPARE[how](measured, limit)


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
