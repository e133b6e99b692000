"""Reads calls that arq pickled. Imported only by a worker with `accept_pickle=True`: to unpickle is to run code.

Everybody who can write to Redis can then run any code in this worker. Nothing else here reads a pickle, or writes one.
"""

import pickle
from typing import Any

from .. import encoding
from ..errors import EncodingError
from ..values.exceptions import whole_text
from ..worker.execution.claimed_job import CallData
from ..worker.execution.held_job import HeldJob
from ..worker.execution.runnables import decode_call

SHOWN_CHARS = 1000
"""Characters that are kept of an argument that only pickle can carry."""


def read(held: HeldJob) -> CallData:
    """The call of a pickled job; DeserializationError if it is none.

    `held.unpickled` has the arguments for the function. What is kept and shown of the call is ours: an argument that
    cannot be encoded is its repr there.
    """
    call = held.unpickled = decode_call(held.job.payload, pickle.loads)
    args, kwargs = [*map(_shown, call.args)], {str(name): _shown(arg) for name, arg in call.kwargs.items()}
    shown = {"t": call.job_try, "f": call.task, "a": args, "k": kwargs, "et": call.enqueued}
    held.job.payload = encoding.dumps(shown)
    return decode_call(held.job.payload, encoding.loads_stored)


def _shown(value: Any) -> Any:
    try:
        encoding.dumps(value)
    except EncodingError:
        return whole_text(repr(value)[:SHOWN_CHARS])
    return value
