"""Exceptions as plain data, and back: of the same class, with the same text, and never built by name."""

import builtins
import contextlib
import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, cast

import msgpack

from .. import errors
from ..errors import RemoteError
from .sendable import check
from .short_text import said, text

TRACEBACK_CHARACTERS = 8_000
"""A longer remote traceback keeps its end."""
DEEPEST = 5
"""Exceptions inside exceptions: those below this level keep their class and text only."""
MOST = 100
"""Arguments of an exception that are kept, exceptions of a group, and exceptions inside one exception."""

TUPLE = 1
"""The tag of a tuple: see encoding.py."""
_NOTE = "Remote traceback:\n"
_packer = msgpack.Packer()
logger = logging.getLogger("jobs.exceptions")
_STORED_AS = {errors.__name__: "jobs.errors"}
"""Module -> its name in Redis, where the library may be installed under another one."""
_known: dict[str, type[BaseException]] = {}

Pack = Callable[[Any, Callable[[BaseException], bytes]], bytes]
"""Encodes a value that was checked, and exceptions inside it by the function given."""


@dataclass(frozen=True)
class Room:
    """How much of an exception is kept."""

    text: int
    """Characters of its text, or of a text or bytes among its arguments."""
    bytes: int
    """Of all its arguments together; those that do not fit are kept as short texts."""
    depth: int
    """Levels of one argument. All together stay below what can be read: see STORED in encoding.py."""
    traceback: int


OUTER, INNER = Room(10_000, 65_536, 32, TRACEBACK_CHARACTERS), Room(1_000, 8_192, 4, 2_000)


def declare_exception(*classes: type[BaseException]) -> None:
    """Let these come back as themselves. Called at import, by `@task(autoretry_for=..., raises=...)`."""
    for cls in classes:
        _known[_class_name(cls)] = cls


def whole_text(text: str) -> str:
    """*text* as it can be encoded: a file name that is not UTF-8, in an error's words, shows its bytes."""
    return text.encode(errors="backslashreplace").decode()


def traceback_text(error: BaseException, limit: int = TRACEBACK_CHARACTERS) -> str:
    """The traceback with its causes and notes, at most *limit* characters of its end, whatever is in it."""
    try:
        lines = traceback.format_exception(error)
    except Exception as mistake:  # a group of groups too deep, or a text that cannot be read
        lines = [f"{type(error).__name__}: {said(error, 10_000)}\n", f"(no traceback: {type(mistake).__name__})\n"]
    return whole_text("".join(lines)[-limit:])


class ExceptionPacker:
    """Encodes one exception with those inside it, in time and bytes that are limited whatever it holds."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._left = MOST

    def plain(self, error: BaseException, level: int = 0) -> bytes:
        """[class, arguments, text, traceback]; the text is [text, attributes] if `__init__` does not make all those."""
        self._left -= 1
        room = INNER if level else OUTER
        name, own = _class_name(type(error)), _text_of(error, room.text)
        if level < DEEPEST and self._left >= 0:
            try:
                return self._whole(error, name, own, level, room)
            except Exception:  # an exception made to hurt
                logger.debug("a %s is encoded by its class and text only", name, exc_info=True)
        return _entry(name, [self._value(own, level)], self._value(own, level), "")

    def _whole(self, error: BaseException, name: str, own: str, level: int, room: Room) -> bytes:
        args = _arguments(error)
        kept, packed = self._keep(args, level, room)
        state, packed_state = self._state(error, name, kept, level, room)
        attributes = _attributes(error) if state else {}
        if not (_are_same(args, kept) and _are_same(attributes.values(), state.values())):
            twin = rebuilt(name, tuple(kept), None, state or None)
            own = own if twin is None else _text_of(twin, room.text + 100)
        text = self._value(own, level)
        if state:
            text = _packer.pack_array_header(2) + text + packed_state
        return _entry(name, packed, text, _traceback_of(error, room.traceback))

    def _keep(self, args: Sequence[Any], level: int, room: Room) -> tuple[list[Any], list[bytes]]:
        kept: list[Any] = []
        packed: list[bytes] = []
        left = room.bytes
        for value in args[:MOST]:
            if type(value) is list and value and all(isinstance(inner, BaseException) for inner in value):
                inside, data = self._group(value, level, left)
            else:
                inside, data = self._one(value, level, left, room)
            left -= len(data)
            kept.append(inside)
            packed.append(data)
        if n := len(args) - len(kept):
            kept.append(f"… {n:,} more arguments")
            packed.append(self._value(kept[-1], level))
        return kept, packed

    def _one(self, value: Any, level: int, left: int, room: Room) -> tuple[Any, bytes]:
        kept = _cut(value, room.text)
        with contextlib.suppress(Exception):
            if len(data := self._value(kept, level)) <= left:
                return kept, data
        limit = min(room.text, left // 4) if left > 4_000 else 100
        kept = whole_text(str(_cut(value, limit)) if type(value) is str else text(value, min(limit, 1_000)))
        return kept, self._value(kept, level)

    def _group(self, errors: list[BaseException], level: int, left: int) -> tuple[list[BaseException], bytes]:
        """The exceptions of a group: the first ones, as many as there is room for."""
        packed: list[bytes] = []
        for error in errors[:MOST]:
            packed.append(self._value(error, level))
            left -= len(packed[-1])
            if left <= 0:
                break
        if n := len(errors) - len(packed):
            rest = RemoteError("Exception", f"{n:,} more exceptions are left out")
            errors = [*errors[: len(packed)], rest]
            packed.append(self._value(rest, DEEPEST))
        return errors, _packer.pack_array_header(len(packed)) + b"".join(packed)

    def _state(
        self, error: BaseException, name: str, args: list[Any], level: int, room: Room
    ) -> tuple[dict[str, Any], bytes]:
        """The attributes that can travel, if the class is known and does not make them of *args*."""
        attributes = _attributes(error)
        if not attributes or _known.get(name) is not type(error):
            return {}, b""
        with contextlib.suppress(Exception):
            twin = type(error)(*args)
            if str(twin) == str(error) and _attributes(twin) == attributes:
                return {}, b""
        kept: dict[str, Any] = {}
        packed = b""
        for attribute, whole in attributes.items():
            value = _cut(whole, room.text)
            with contextlib.suppress(Exception):
                data = self._value(attribute, level) + self._value(value, level)
                if len(packed) + len(data) <= room.bytes:
                    packed += data
                    kept[attribute] = value
        return kept, _packer.pack_map_header(len(kept)) + packed

    def _value(self, value: Any, level: int) -> bytes:
        check(value, INNER.depth if level else OUTER.depth)
        return self._pack(value, partial(self.plain, level=level + 1))


def exception_from_plain(name: str, args: Sequence[Any], message: Any, text: str) -> BaseException:
    """The exception that was encoded; a RemoteError if its class is not known here, or cannot be made again."""
    message, state = message if type(message) is list else (message, None)
    error = rebuilt(name, args, message, state)
    if error is None:
        error = RemoteError(name.removeprefix("builtins."), message)
    if text:
        error.add_note(_NOTE + text)
    return error


def rebuilt(name: str, args: Sequence[Any], message: str | None, state: dict[str, Any] | None) -> BaseException | None:
    """An exception of the known class of that name that says *message* (None: whatever it says), if there is one."""
    cls = _known.get(name)
    if cls is None:
        return None
    made: BaseException | None = None
    if state is None:
        with contextlib.suppress(Exception):
            made = cls(*args)
            if message in (None, str(made)):
                return made
    with contextlib.suppress(Exception):  # its constructor may want other arguments
        bare = cls.__new__(cls, *args)
        builtin: Any = next(base for base in cls.__mro__ if base.__module__ == "builtins")
        builtin.__init__(bare, *args)
        vars(bare).update(state or {})
        if message in (None, str(bare)):
            return bare
    return made


def _arguments(error: BaseException) -> Sequence[Any]:
    """What makes it again: its `args`, or what its class says to pickle, as OSError does to keep the file's name."""
    with contextlib.suppress(Exception):
        made_by, args, *_ = cast("tuple[Any, ...]", error.__reduce__())
        if made_by is type(error) and type(args) is tuple:
            return args
    return tuple(error.args)


def _are_same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(a is b for a, b in zip_longest(some, others))


def _attributes(error: BaseException) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if type(name) is str and name != "__notes__"}


def _cut(value: Any, limit: int) -> Any:
    if type(value) is str and len(value) > limit:
        return f"{value[:limit]}… ({len(value):,} characters)"
    if type(value) is bytes and len(value) > limit:
        return value[:limit] + f"... ({len(value):,} bytes)".encode()
    return value


def _text_of(error: BaseException, limit: int) -> str:
    try:
        return whole_text(str(_cut(str(error), limit)))
    except Exception:
        return whole_text(said(error, limit))


def _traceback_of(error: BaseException, limit: int) -> str:
    if error.__traceback__ is None:  # it may have come from another process
        notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
        return whole_text("\n".join(note.removeprefix(_NOTE) for note in notes)[-limit:])
    return traceback_text(error, limit)


def _entry(name: str, args: list[bytes], text: bytes, trace: str) -> bytes:
    packed = _packer.pack_array_header(len(args)) + b"".join(args)
    head: bytes = _packer.pack_array_header(4) + msgpack.packb(name)
    return head + msgpack.packb(msgpack.ExtType(TUPLE, packed)) + text + msgpack.packb(trace)  # type: ignore[no-any-return]


def _class_name(cls: type[BaseException]) -> str:
    return f"{_STORED_AS.get(cls.__module__, cls.__module__)}.{cls.__qualname__}"


for module, base in (builtins, Exception), (errors, errors.QuarqError):
    declare_exception(*(cls for cls in vars(module).values() if isinstance(cls, type) and issubclass(cls, base)))
