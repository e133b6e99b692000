"""Run an action of the monitor: write it to the audit log, and show its result on the next page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from quart import redirect
from quart.typing import ResponseReturnValue

from .. import monitor
from .options import redis
from .viewers import this_viewer
from .web.messages import Message, Refused, notify

MAX_LENGTH = 300
"""Characters of a message, because it is stored in a cookie."""


async def act(
    what: str, target: str, doing: Callable[[], Awaitable[Message]], then: str | Callable[[], str]
) -> ResponseReturnValue:
    """Log that the viewer does *what* to *target*, do it, log the outcome, and show it on the page *then*.

    *then* may be a function, for a page that only the action knows.
    """
    category = "success"
    try:
        message = await monitor.noted(redis(), this_viewer().name, what, target, doing)
    except (monitor.QuarqError, ValueError) as error:
        code = error.message.code if isinstance(error, Refused) else type(error).__name__
        message, category = Message(code, str(error)), "error"
    short = message if len(message) <= MAX_LENGTH else Message(message.code, message[: MAX_LENGTH - 1] + "…")
    await notify(short, category)
    return redirect(then if isinstance(then, str) else then(), 303)
