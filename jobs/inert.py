"""Decode a stored call without running code of the application: it may be what kills whoever decodes the call."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgpack

from jobs import encoding
from jobs.errors import EncodingError, RemoteError

_EXCEPTION, _BIG_INT = 20, 21
_OWN_TYPES = {*range(1, 11), _EXCEPTION, 30}
"""Tags of the types in encoding.py, and of `Request`."""


def loads(data: bytes, depth: int = 0) -> Any:
    """Decode what holds only types of the library. An exception of the application becomes a RemoteError; a type of its
    own raises EncodingError.
    """
    try:
        return _unpack(data, depth)
    except Exception as error:
        raise EncodingError(f"{len(data)} bytes that are not a value of the library: {error}") from error


def _unpack(data: bytes, depth: int) -> Any:
    if depth > encoding.STORED:
        raise EncodingError(f"more than {encoding.STORED} tagged values inside each other")
    # not unpackb(): its reader would take 42 kB of the stack for each level
    reader: Any = msgpack.Unpacker(
        ext_hook=partial(_untagged, depth),
        strict_map_key=False,
        max_buffer_size=0,
        read_size=max(len(data), 1),
    )
    reader.feed(data)
    value = reader.unpack()
    if reader.tell() != len(data):
        raise EncodingError("bytes behind a value")
    return value


def _untagged(depth: int, tag: int, data: bytes) -> Any:
    if tag == _BIG_INT:
        return int(data)
    if tag not in _OWN_TYPES:
        raise EncodingError(f"tag {tag} is a type of the application")
    plain = _unpack(data, depth + 1)
    if tag == _EXCEPTION and not plain[0].startswith("builtins."):
        return RemoteError(plain[0], plain[2] if isinstance(plain[2], str) else plain[2][0])
    return encoding._FROM_PLAIN[tag](plain)
