"""Which status the API answers when something is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from quart import abort
from redis.exceptions import RedisError

from ...errors import (
    EncodingError,
    QuarqError,
    QueueUnavailable,
    ResultUnknown,
    SettingsMistake,
    UnknownSchedule,
    UnknownTask,
    WrongValue,
)
from ..web.messages import Message, Refused, WrongInput

STATUS: dict[type[Exception], int] = {
    WrongInput: 400, WrongValue: 400, SettingsMistake: 400, EncodingError: 400,
    ResultUnknown: 404, UnknownSchedule: 404, UnknownTask: 404,
    Refused: 409, QuarqError: 409,
}  # fmt: skip
"""Of each kind of refusal; of two that fit, the first."""


@contextmanager
def refusals() -> Iterator[None]:
    """Answer those of what is done inside. That Redis is away is none of them."""
    try:
        yield
    except (QueueUnavailable, RedisError):
        raise
    except tuple(STATUS) as error:
        status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
        if isinstance(error, Refused):
            abort(status, error.message)
        code = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
        abort(status, Message(code, str(error)))
