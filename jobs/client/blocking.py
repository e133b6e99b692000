"""`from jobs import blocking`: calls from plain code, such as Flask, sync Django and scripts.

`multiply.blocking.delay(2, 3).get()`: each task, signature and workflow has the same verbs, and so have their results.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, Unpack

from ..store import default
from ..tasks import blocking_calls
from ..tasks.blocking_calls import BlockingResult
from ..values.calls import explained
from . import decorator, fastest
from .connection import ConnectionKeywords, JobsRedis

R = TypeVar("R")

_connected_to: tuple[Any, ...] = ()  # Address, options and connection: an application factory may run again.


@explained
def connect(redis_url: str, **options: Unpack[ConnectionKeywords]) -> None:
    """Make the Redis at *redis_url* the one that calls of this process use where there is no other connection.

    Once, before or after a fork: nothing is opened before the first call. Again with the same it does nothing; another
    address, or `open_connection()`, takes the place of the first for the calls that follow.
    Inside a job there is one already, that of its worker; eager mode and a test's worker win over it, as over
    `jobs.connect()`, whose options it takes.
    """
    global _connected_to
    if _connected_to[:2] != (redis_url, options) or not default.is_kept(_connected_to[2]):
        connection = JobsRedis.at(redis_url, **options)
        default.keep(connection)
        _connected_to = redis_url, options, connection


@explained
def send_task(
    name: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
) -> BlockingResult[Any]:
    """As `jobs.send_task`."""
    return BlockingResult(blocking_calls.wait_for("", "send_task", decorator.send_task, name, args, kwargs, **options))


@explained
def first(results: Iterable[BlockingResult[R]], timeout: float | timedelta | None = None, terminate: bool = False) -> R:
    """As `jobs.first`."""
    several = [getattr(one, "_target", one) for one in results]
    return blocking_calls.wait_for("", "first", fastest.first, several, timeout, terminate)  # type: ignore[no-any-return]
