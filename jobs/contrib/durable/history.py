"""What is recorded of one job, as one run of it knows that: read once, and only if there is something."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import QuarqError, StepChanged
from ...store.keys import MOST_STEPS
from .entries import CALLED, DEFAULTED, EVENT, FAILED, TIMED_OUT, Entry, check_key, check_name, field_of
from .log import TOO_MANY, Log, refuse


@dataclass(frozen=True)
class Name:
    """A durable call of one run: which use of its name it is, and where its entry is."""

    kind: str
    name: str
    key: Any
    nth: int
    aliases: Sequence[str] = ()
    digest: str = ""

    @property
    def field(self) -> str:
        return field_of(self.kind, self.name, self.key, self.nth)

    @property
    def shown(self) -> str:
        return self.field.partition(":")[2]

    def fields(self) -> list[str]:
        """The field, and those of the names that it had before."""
        return [field_of(self.kind, name, self.key, self.nth) for name in (self.name, *self.aliases)]


class History:
    """`seen`: how many entries its journal had when this run looked, its own time-outs among them."""

    def __init__(self, log: Log, has_steps: int) -> None:
        self.log = log
        self.steps, self.journal = dict[str, bytes](), dict[str, bytes]()
        self.seen, self.calls = 0, set[str]()  # Children that this run has called, or was about to.
        self._is_read = not has_steps
        self._reading: asyncio.Task[None] | None = None
        self._used = Counter[tuple[str, str]]()
        self._open = set[tuple[str, str]]()
        self._recorded = 0

    def name(self, kind: str, name: str, key: Any = None, aliases: Sequence[str] = (), digest: str = "") -> Name:
        """The next use of a name, counted in the order of calls."""
        check_name("name", name), check_key(key)
        for alias in aliases:
            check_name("aliases", alias)
        if key is None:
            self._used[kind, name] += 1
        return Name(kind, name, key, self._used[kind, name] if key is None else 0, aliases, digest)

    def open(self, name: Name) -> None:
        """QuarqError: another call of this name and kind, without a key, has not ended: which is which may change."""
        if name.key is not None or name.kind == EVENT:
            return
        if (name.kind, name.name) in self._open:
            raise QuarqError(f"two of the name {name.name!r} at the same time: give each a key=")
        self._open.add((name.kind, name.name))

    def close(self, name: Name) -> None:
        if name.key is None:
            self._open.discard((name.kind, name.name))

    async def find(self, name: Name, letters: str, on_change: str = "fail") -> Entry | None:
        """What is recorded of this call. StepChanged: of another one."""
        await self._ready()
        data = next((self.steps[field] for field in name.fields() if field in self.steps), None)
        if data is None:
            if len(self.steps) >= MOST_STEPS:
                refuse(TOO_MANY, name.shown)
            return None
        entry = Entry.read(data)
        if entry.letter not in letters:
            raise StepChanged(f"{name.shown!r} was recorded as something else: use another name")
        is_repeated = name.key is None and (name.nth > 1 or f"{name.field}#2" in self.steps)
        if is_repeated and entry.digest != name.digest and on_change != "keep":
            raise StepChanged(
                f"{name.shown!r} is recorded of another function or of other arguments. A name that is used several "
                'times is counted by its order, which has changed: give each use a key=, or on_change="keep"'
            )
        return entry

    async def record(self, name: Name, letter: str, started: int, ended: int, value: Any = None) -> Entry:
        entry = self.entry(name, letter, started, ended, value)
        await self.log.record(name.field, data := entry.packed())
        self.steps[name.field] = data
        return entry

    def entry(self, name: Name, letter: str, started: int, ended: int, value: Any = None) -> Entry:
        self._recorded += 1
        number = self.log.now_ms() * 1000 + self._recorded % 1000
        return Entry(letter, number, started, ended, name.digest, value)

    async def time_out(self, name: Name, has_default: bool) -> bytes:
        """The time-out of a wait; or the event, if that was first."""
        known = name.field in self.journal
        found = await self.log.time_out(name.field, DEFAULTED if has_default else TIMED_OUT)
        self.journal[name.field] = found
        self.seen += not known
        return found

    def has_children(self) -> bool:
        """Has it called one that has not ended, whether code waits for that or not?"""
        called = {field for field, entry in self.steps.items() if entry[:1] == CALLED.encode()}
        return not (called | self.calls) <= self.journal.keys()

    def note_refused(self, name: Name, entry: bytes) -> None:
        """Another job has the key of this child: it has failed."""
        self.steps[name.field], self.journal[name.field] = entry, FAILED.encode()

    async def failures(self) -> tuple[list[str], list[str]]:
        """What a retry does again: fields of its steps, and places of its journal."""
        await self._ready()
        places = [place for place, entry in self.journal.items() if entry[:1] in (b"F", b"R", TIMED_OUT)]
        again = {*places}
        return [field for field, entry in self.steps.items() if entry[:1] == FAILED.encode() or field in again], places

    async def _ready(self) -> None:
        if not self._is_read:
            self._reading = self._reading or asyncio.ensure_future(self._read())
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        self.steps, self.journal = await self.log.read()
        self.seen, self._is_read = len(self.journal), True
