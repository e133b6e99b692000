"""Exceptions as plain data, and back: of the same class, with the same text, and never built by name."""

import builtins
import contextlib
import logging
import re
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import msgpack

from .. import errors
from ..errors import RemoteError
from .sendable import check
from .short_text import CUT, cut, said, text

TRACEBACK_CHARACTERS = 8_000  # A longer remote traceback keeps its end.
TEXT, DEPTH, TRACEBACK = (10_000, 1_000), (32, 4), (TRACEBACK_CHARACTERS, 2_000)
"""Of the exception, and of each inside it: characters of its text and of each among its arguments, levels of an
argument, characters of its traceback. All levels together stay below what can be read: see STORED in encoding.py."""
BYTES = 80_000  # Of all that is kept; of what comes then a short text is.
DEEPEST = 5  # Exceptions inside exceptions: those below this level keep their class and text only.
MOST = 100  # Arguments of an exception that are kept, exceptions of a group, and exceptions inside one exception.

TUPLE = 1  # The tag of a tuple: see encoding.py.
_NOTE = "Remote traceback:\n"
_packer = msgpack.Packer()
logger = logging.getLogger("jobs.exceptions")
_STORED_AS = {errors.__name__: "jobs.errors"}  # Module -> its name in Redis, where it may have another one here.
_UNSAID = re.compile(
    r"^(?:builtins\.|__main__\.|(?:quarq_)?jobs\.errors\.(?:RemoteError: )?)"
    r"| \(to get \w+ itself, name it in the task's raises=\)$"
)
_known: dict[str, type[BaseException]] = {}

Pack = Callable[[Any, Callable[[BaseException], bytes]], bytes]
"""Encodes a value that was checked, and exceptions inside it by the function given."""


def declare_exception(*classes: type[BaseException]) -> None:
    """Let these come back as themselves. Called at import, by `@task(autoretry_for=..., raises=...)`."""
    for cls in classes:
        _known[_class_name(cls)] = cls


def error_line(error: BaseException, limit: int) -> str:
    """`shop.CardDeclined: no luck`: the one spelling of an error, at most *limit* characters of what it says."""
    return spelled(f"{_class_name(type(error))}: {said(error, limit)}").removesuffix(": ")


def spelled(line: str) -> str:
    """The last line of a traceback in that spelling: Python's own classes and ours have no module."""
    return _UNSAID.sub("", line)


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
        self._bytes = BYTES

    def plain(self, error: BaseException, level: int = 0) -> bytes:
        """[class, arguments, text, traceback]; the text is [text, attributes] if `__init__` does not make all those."""
        self._left -= 1
        name, own = _class_name(type(error)), whole_text(said(error, TEXT[level > 0]))
        if level < DEEPEST and self._left >= 0:
            try:
                trace = _traceback_of(error, TRACEBACK[level > 0])
                self._bytes -= len(own) + len(trace)
                args = _arguments(error)
                packed, state = self._arguments(args, level), self._state(error, args, level)
                text = self._value(own, level)
                return _entry(name, packed, _packer.pack_array_header(2) + text + state if state else text, trace)
            except Exception:  # an exception made to hurt
                logger.debug("a %s is encoded by its class and text only", name, exc_info=True)
        return _entry(name, [self._value(own, level)], self._value(own, level), "")

    def _arguments(self, args: Sequence[Any], level: int) -> list[bytes]:
        packed: list[bytes] = []
        for value in args[:MOST]:
            is_group = type(value) is list and value and all(isinstance(inner, BaseException) for inner in value)
            packed.append(self._group(value, level) if is_group else self._one(value, level))
        if n := len(args) - len(packed):
            packed.append(self._value(f"… {n:,} more arguments", level))
        return packed

    def _one(self, value: Any, level: int) -> bytes:
        """The value, or where there is no room for it, or it cannot travel, a short text of it."""
        with contextlib.suppress(Exception):
            if data := self._fitting(value, level):
                return data
        limit = min(TEXT[level > 0], self._bytes // 4) if self._bytes > 4_000 else 100
        shown = cut(value, limit) if type(value) is str else text(value, min(limit, 1_000))
        return self._value(whole_text(shown), level)

    def _fitting(self, value: Any, level: int) -> bytes:
        """b'' where there is no room for it."""
        data = self._value(_shortened(value, TEXT[level > 0]), level)
        if len(data) > self._bytes:
            return b""
        self._bytes -= len(data)
        return data

    def _group(self, errors: list[BaseException], level: int) -> bytes:
        """The exceptions of a group: the first ones, as many as there is room for."""
        packed: list[bytes] = []
        for error in errors[:MOST]:
            packed.append(self._value(error, level))
            if self._bytes <= 0:
                break
        if n := len(errors) - len(packed):
            packed.append(self._value(RemoteError("Exception", f"{n:,} more exceptions are left out"), DEEPEST))
        return cast("bytes", _packer.pack_array_header(len(packed)) + b"".join(packed))

    def _state(self, error: BaseException, args: Sequence[Any], level: int) -> bytes:
        """The attributes that can travel, if the class is known and does not make them of *args*; b'' otherwise."""
        attributes = _attributes(error)
        if not attributes or _known.get(_class_name(type(error))) is not type(error):
            return b""
        with contextlib.suppress(Exception):
            twin = type(error)(*args)
            if str(twin) == str(error) and _attributes(twin) == attributes:
                return b""
        packed: list[bytes] = []
        for name, value in attributes.items():
            with contextlib.suppress(Exception):
                if data := self._fitting(value, level):
                    packed.append(self._value(name, level) + data)
        return cast("bytes", _packer.pack_map_header(len(packed)) + b"".join(packed))

    def _value(self, value: Any, level: int) -> bytes:
        check(value, DEPTH[level > 0])
        return self._pack(value, partial(self.plain, level=level + 1))


def exception_from_plain(name: str, args: Sequence[Any], message: Any, text: str) -> BaseException:
    """The exception that was encoded; a RemoteError if its class is not known here, or cannot be made again."""
    message, state = message if type(message) is list else (message, None)
    error = _rebuilt(_known[name], args, message, state) if name in _known else None
    if error is None:
        error = RemoteError(name.removeprefix("builtins."), message)
    if text:
        error.add_note(_NOTE + text)
    return error


def _rebuilt(
    cls: type[BaseException], args: Sequence[Any], message: str, state: dict[str, Any] | None
) -> BaseException | None:
    """An exception of that class that says *message*, if there is one; without *state* one that says otherwise, too."""
    made: BaseException | None = None
    if state is None:
        with contextlib.suppress(Exception):
            made = cls(*args)
            if str(made) == message:
                return made
    with contextlib.suppress(Exception):  # its constructor may want other arguments
        bare = cls.__new__(cls, *args)
        builtin: Any = next(base for base in cls.__mro__ if base.__module__ == "builtins")
        builtin.__init__(bare, *args)
        vars(bare).update(state or {})
        if str(bare) == message or message.endswith(CUT):
            return bare
    return made


def _arguments(error: BaseException) -> Sequence[Any]:
    """What makes it again: its `args`, or what its class says to pickle, as OSError does to keep the file's name."""
    with contextlib.suppress(Exception):
        made_by, args, *_ = cast("tuple[Any, ...]", error.__reduce__())
        if made_by is type(error) and type(args) is tuple:
            return args
    return tuple(error.args)


def _attributes(error: BaseException) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if type(name) is str and name != "__notes__"}


def _shortened(value: Any, limit: int) -> Any:
    if type(value) is bytes and len(value) > limit:
        return value[:limit] + b"..."
    return cut(value, limit) if type(value) is str else value


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
