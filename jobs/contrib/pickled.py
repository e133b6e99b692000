"""arq's own format, pickle, for the time of a move from arq: what a worker with `accept_pickle=True` reads and writes.

To unpickle is to run code: everybody who can write to Redis can then run any in this worker. What is written here both
libraries read: to Quarq it is msgpack, and the pickle in it are bytes that nobody looks at; to arq it is a pickle.
"""

import asyncio
import contextlib
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from arq.utils import timestamp_ms
from arq.worker import JobExecutionFailed

from .. import encoding
from ..client.connection import JobsRedis
from ..errors import EncodingError, TaskRevoked
from ..values.exceptions import whole_text
from ..values.sendable import too_large
from ..values.short_text import said
from ..worker.execution.claimed_job import CallData, HeldJob
from ..worker.execution.runnables import decode_call
from ..worker.execution.runner import PICKLED

SHOWN_CHARS = 1000
"""Characters that are kept of a value that only pickle can carry."""
ENTRIES = 15
FOR_BOTH = bytes([0x80 + ENTRIES]) + b"G\xc6"
"""What begins that which both read. Msgpack: a map of 15 entries, the first has the key 71, and bytes. Pickle: an empty
set, then a float, which takes the next 8 bytes: the length, and three that are empty. The pickle proper comes next,
and what is behind its end is not read."""


def dumps(call: Mapping[str, Any]) -> bytes:
    """A `job_serializer` for arq's `create_pool()`: workers of both libraries run these calls.

    What msgpack cannot carry as it is is pickled alone: of ours, only a worker with `accept_pickle=True` runs that.
    """
    with contextlib.suppress(EncodingError):
        plain = encoding.dumps({**call, "a": list(call["a"])})
        if encoding.loads_stored(plain) == call:  # an exception may come back as another
            return for_both(plain, call)
    return FOR_BOTH[:1] + _pickled(call)


def loads(data: bytes) -> Any:
    """A `job_deserializer` for arq's `create_pool()`: reads what either library wrote, and so may run any code."""
    return pickle.loads(data) if data.startswith((*PICKLED, FOR_BOTH)) else encoding.loads_job(data)


class PicklingRedis(JobsRedis):
    """The `ctx["redis"]` of such a worker: stock workers run what it enqueues, and arq's `Job` reads what they wrote.

    What the engine, tasks and `Result` read is not unpickled here either.
    """

    def __init__(self, pool: Any = None, **options: Any) -> None:
        super().__init__(pool, **options)
        self.job_deserializer = loads

    def encode_call(
        self,
        task: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        job_try: int | None = None,
        *of_task: Any,
        **more: Any,
    ) -> bytes:
        if of_task or more:
            return super().encode_call(task, args, kwargs, job_try, *of_task, **more)
        payload = dumps({"t": job_try, "f": task, "a": tuple(args), "k": dict(kwargs), "et": timestamp_ms()})
        if len(payload) > 2 * self.size_limit:
            raise too_large("in both formats the arguments take", len(payload), 2 * self.size_limit)
        return payload


def read(held: HeldJob) -> CallData:
    """The call of a pickled job; DeserializationError if it is none.

    `held.rebuilt` has the arguments for the function. What is kept and shown of the call is ours: an argument that
    cannot be encoded is its repr there.
    """
    call = held.rebuilt = decode_call(held.job.payload, pickle.loads)
    args, kwargs = [*map(shown, call.args)], {str(name): shown(arg) for name, arg in call.kwargs.items()}
    kept = {"t": call.job_try, "f": call.task, "a": args, "k": kwargs, "et": call.enqueued}
    held.job.payload = encoding.dumps(kept)
    return decode_call(held.job.payload, encoding.loads_stored)


def is_of_arq(held: HeldJob) -> bool:
    """Was it called in arq's format? It is answered in the same: its caller may be arq's own client."""
    return held.rebuilt is not None or held.job.payload.startswith((*PICKLED, FOR_BOTH))


def answer(plain: bytes, fields: Mapping[str, Any], held: HeldJob, value: Any) -> bytes:
    """The result *plain* of that job, for arq's client as well. EncodingError: not even pickle can carry the value."""
    call = held.rebuilt or held.call
    whole = {**fields, "f": call.task, "a": call.args, "k": call.kwargs, "r": _as_arq_has_it(value)}
    return for_both(plain, whole)


def shown(value: Any) -> Any:
    """The value as msgpack carries it, or else its repr."""
    try:
        encoding.dumps(value)
    except EncodingError:
        return whole_text(repr(value)[:SHOWN_CHARS])
    return value


def _as_arq_has_it(value: Any) -> Any:
    """An exception that its caller cannot read, such as one of ours where Quarq is not installed, is named instead."""
    if isinstance(value, TaskRevoked) and not value.expired:
        return asyncio.CancelledError(*value.args)
    if not isinstance(value, BaseException):
        return value
    try:
        if type(value).__module__.split(".")[0] != __name__.split(".")[0]:
            pickle.loads(pickle.dumps(value))
            return value
    except Exception:  # its class takes other arguments than it keeps
        pass
    return JobExecutionFailed(f"{type(value).__name__}: {said(value, SHOWN_CHARS)}")


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise EncodingError(f"pickle cannot carry it either: {said(error, 500)}") from error


def for_both(plain: bytes, value: Mapping[str, Any]) -> bytes:
    """The dict that *plain* is in msgpack, behind a pickle of *value*."""
    pickled = bytes(3) + _pickled(dict(value))
    others = ENTRIES - 1 - (plain[0] & 0x0F)
    entry = FOR_BOTH[1:] + len(pickled).to_bytes(4, "big") + pickled
    return encoding.joined(bytes([0x81 + others]) + entry + b"".join(bytes([n, 0xC0]) for n in range(others)), plain)
