"""A deserializer that somebody gives, as arq's clients and workers take one, beside ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.errors import EncodingError

Loads = Callable[[bytes], Any]


def first_that_can(given: Loads | None, ours: Loads) -> Loads:
    """The *given* one, and ours for what it cannot read: scripts and processes without it write that."""
    if given is None:
        return ours

    def loads(data: bytes) -> Any:
        try:
            return given(data)
        except Exception as error:
            try:
                return ours(data)
            except EncodingError:
                raise error from None

    return loads
