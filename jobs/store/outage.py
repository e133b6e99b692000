"""A Redis that does not answer, takes nothing now, or refuses us: which of these an error means, and how to wait."""

import asyncio
import contextlib
import itertools
import logging
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

from redis import exceptions

from ..errors import QueueUnavailable

T = TypeVar("T")
_worker_log = logging.getLogger("arq.worker.jobs")

_LOST = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
"""The connection failed: whether the server did what it was asked is not known."""
_OF_REDIS = (exceptions.ResponseError, exceptions.ConnectionError, exceptions.InvalidResponse, OSError)

_STATES = {
    "READONLY|ReadOnlyError": "it is a replica, which takes no writes (READONLY)",
    r"\bOOM\b|OutOfMemoryError": "its memory is full, see maxmemory (OOM)",
    r"\bMISCONF\b": "it cannot write to its disk, so it takes no writes (MISCONF)",
    r"\bLOADING\b|BusyLoadingError": "it is still loading its data (LOADING)",
    r"\bMASTERDOWN\b": "it is a replica that has lost its primary (MASTERDOWN)",
    r"\bNOREPLICAS\b": "too few replicas follow it, so it takes no writes (NOREPLICAS)",
    r"\bCLUSTERDOWN\b": "its cluster is down (CLUSTERDOWN)",
    r"\bBUSY\b": "it is busy with a script (BUSY)",
    r"\bUNBLOCKED\b": "it has just become a replica (UNBLOCKED)",
}
"""States in which a server refuses everything for a while: a pattern of the error's class and text, and its meaning."""

_DENIALS = {
    "Authentication required": "it needs a password, and the address has none",
    "invalid username-password|WRONGPASS": "the user or the password in the address is wrong, or that user is off",
    "without any password configured": "the address has a password, and this Redis has none set",
    "DB index is out of range": "it has no database of the number in the address",
    "protected mode": "it is in protected mode: set a password there, or connect from its own machine",
    "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE": "the address asks for TLS (rediss://), which this port does not speak",
    "CERTIFICATE_VERIFY_FAILED": "its TLS certificate is not trusted, see ssl_ca_certs in docs/redis.md",
    "(?i)no permission|NOPERM|NoPermission": "its access list forbids it ({text}); see docs/redis.md",
    "(?i)protocol error": "what answers there is no Redis, or wants TLS (rediss://)",
    "AuthenticationError": "it does not let us in: {text}",
}
"""The same of errors that do not go away by themselves, and what has to be changed."""


def is_away(error: BaseException) -> bool:
    """Will the same call work later? True of lost connections, of a server that takes nothing now, and of a denial."""
    return isinstance(error, _LOST) or state(error) is not None or denial(error) is not None


def state(error: BaseException) -> str | None:
    """Why the server takes nothing from anybody now, in words; None if it does."""
    return _meaning(error, _STATES)


def denial(error: BaseException) -> str | None:
    """Why the server does not let us in, or not do this, in words; None if it does."""
    return _meaning(error, _DENIALS)


def explained(error: BaseException) -> str:
    """What is wrong with Redis, for people: never blank, and without a password."""
    if reason := denial(error):
        return f"Redis refuses us: {reason}"
    return state(error) or f"{type(error).__name__}: {error}".removesuffix(": ")


def _meaning(error: BaseException, meanings: Mapping[str, str]) -> str | None:
    if not isinstance(error, _OF_REDIS):
        return None
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    words = " ".join(f"{type(one).__name__} {one}" for one in causes)
    found = (meaning for pattern, meaning in meanings.items() if re.search(pattern, words))
    return next(found, "").format(text=causes[-1]) or None


def backoff() -> Iterator[float]:
    """The seconds to wait before each next try, the same wherever Redis is waited for."""
    return itertools.chain((0.02, 0.04, 0.08, 0.16, 0.32), itertools.repeat(0.5))


async def while_away(
    do: Callable[[], Awaitable[T]],
    patience_s: float = math.inf,
    what: Callable[[], str] = lambda: "Redis does not answer",
) -> T:
    """For callers: *do*, tried for *patience_s* while Redis is away; then QueueUnavailable, as for a denial."""
    first_try, delays = time.monotonic(), None
    while True:
        try:
            return await do()
        except Exception as error:
            delay_s = next(delays := delays or backoff())
            if not is_away(error):
                raise
            if denial(error):
                raise QueueUnavailable(explained(error)) from error
            if time.monotonic() - first_try + delay_s > patience_s:
                raise QueueUnavailable(f"{what()}: {explained(error)}") from error
        await asyncio.sleep(delay_s)


class Changes:
    """Remembers the last value: what is logged, or done, once for each change asks `to`."""

    def __init__(self, last: object = "") -> None:
        self.last = last

    def to(self, value: object) -> bool:
        """Is *value* another one than the last?"""
        changed, self.last = value != self.last, value
        return changed


class Outage:
    """For workers: waits for Redis however long, a denial too. Logs each cause once, and once that it works again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = 0.0
        self._cause = Changes()
        self._delays = backoff()

    async def keep_trying(self, step: Callable[[], Awaitable[T]], *, only_away: bool = False) -> T:
        """The result of *step*, however often it fails first. *only_away*: an error that is not of Redis is raised."""
        while True:
            async with self.attempt(only_away=only_away):
                return await step()

    @contextlib.asynccontextmanager
    async def attempt(self, *, only_away: bool = False) -> AsyncIterator[None]:
        """What fails in this block is logged, and ends it after a while: the block belongs into a loop."""
        try:
            yield
        except Exception as error:
            if only_away and not is_away(error):
                raise
            await asyncio.sleep(self.failed(error))
        else:
            self.worked()

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns the seconds to wait before the next try."""
        if not self._cause.last:
            self._since = time.monotonic()
        away = is_away(error)
        if self._cause.to(denial(error) or state(error) or f"{type(error).__name__} {'' if away else error}"):
            if reason := denial(error):
                _worker_log.error("Redis refuses us, cannot %s, will keep trying: %s", self._what, reason)
            elif away:
                why = explained(error)
                _worker_log.warning("Redis is away, cannot %s, will keep trying: %s", self._what, why)
            else:  # a defect, or foreign data
                _worker_log.error("cannot %s, will keep trying", self._what, exc_info=error)
        return next(self._delays)

    def worked(self) -> None:
        if self._cause.to(""):
            away_s = time.monotonic() - self._since
            _worker_log.warning("Redis is back, can %s again after %.1f s", self._what, away_s)
            self._delays = backoff()
