"""Decode a stored call without running code of the application: it may be what kills whoever decodes the call."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgpack

from jobs import encoding
from jobs.errors import EncodingError, RemoteError

DEPTH = 64
"""Tagged values in each other, at most."""

_EXCEPTION, _BIG_INT = 20, 21
_OWN_TYPES = {*range(1, 11), 30}
"""Tags of the types in encoding.py, and of `Request`."""


def loads(data: bytes, depth: int = 0) -> Any:
    """Decode what holds only types of the library. An exception becomes a RemoteError; a type that the application
    declared raises EncodingError.
    """
    try:
        return msgpack.unpackb(data, ext_hook=partial(_untagged, depth + 1), strict_map_key=False)
    except Exception as error:
        raise EncodingError(f"{len(data)} bytes that are not a value of the library: {error}") from error


def _untagged(depth: int, tag: int, data: bytes) -> Any:
    if depth > DEPTH:
        raise EncodingError(f"more than {DEPTH} tagged values in each other")
    if tag == _BIG_INT:
        return int(data)
    if tag == _EXCEPTION:
        name, _, message, *_ = loads(data, depth)
        return RemoteError(
            name.removeprefix("builtins."), message if isinstance(message, str) else message[0]
        )
    if tag not in _OWN_TYPES:
        raise EncodingError(f"tag {tag} is a type of the application")
    return encoding._FROM_PLAIN[tag](loads(data, depth))
