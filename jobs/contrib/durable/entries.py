"""What is recorded of a step, and the names under which it is found again."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from ... import encoding
from ...errors import EncodingError, WrongValue
from ...tasks.unique import same_bytes
from ...values import checks
from ...values.sendable import check

DONE, FAILED, SLEEPS, CALLED, WAITS = "S", "F", "T", "C", "W"
"""The first letter of an entry: a step that returned or raised; a sleep; a child; a wait for an event."""
TIMED_OUT: Final = b"X"
DEFAULTED: Final = b"D"
"""What has the place of an event that did not come: TimeoutError follows, or the default of the wait."""
STEP, SLEEP, RUN, EVENT = "step", "sleep", "run", "event"
LONGEST_KEY = 200


@dataclass(frozen=True)
class Entry:
    """`number` is its place in the order of recording. `ended`: of a sleep or a wait, until when; 0 is without end."""

    letter: str
    number: int
    started: int
    ended: int
    digest: str = ""
    value: Any = None

    def packed(self) -> bytes:
        return self.letter.encode() + encoding.pack([self.number, self.started, self.ended, self.digest, self.value])

    @classmethod
    def read(cls, data: bytes, loads: Callable[[bytes], Any] = encoding.loads_wrapped) -> Self:
        """EncodingError: not written by this library."""
        try:
            return cls(data[:1].decode(), *loads(data[1:]))
        except (TypeError, UnicodeDecodeError) as error:
            raise EncodingError("what is kept of a step is none") from error


def field_of(kind: str, name: str, key: Any, nth: int) -> str:
    """`step:charge`, `step:charge[7]`, and the second without a key `step:charge#2`."""
    if key is not None:
        return f"{kind}:{name}[{key}]"
    return f"{kind}:{name}#{nth}" if nth > 1 or kind == EVENT else f"{kind}:{name}"


def check_name(option: str, name: Any) -> str:
    checks.name(option, name)
    if "#" in name or "[" in name:
        raise WrongValue(f"{option}={name!r:.80}: a name of a step has no '#' and no '['; give what differs as key=")
    return str(name)


def check_key(key: Any) -> Any:
    """A text or a whole number: what tells steps of one name apart."""
    if key is None or type(key) is int:
        return key
    text = checks.storable("key", key)
    if not text or len(text) > LONGEST_KEY:
        raise WrongValue(f"key={text!r:.80}: it has 1 to {LONGEST_KEY} characters")
    return text


def digest_of(what: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Of a function and its arguments. What cannot travel, such as a session, counts by its type."""
    words = [what.encode(), *map(_bytes_of, args), *(_bytes_of((name, kwargs[name])) for name in sorted(kwargs))]
    return hashlib.blake2b(b"\0".join(words), digest_size=8).hexdigest()


def _bytes_of(value: Any) -> bytes:
    try:
        check(value)
        return same_bytes(value)
    except EncodingError:
        return type(value).__qualname__.encode()
