"""How every action of the monitor ends: noted in the audit log, said on the next page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from quart import redirect
from quart.typing import ResponseReturnValue

from app.context import redis
from app.messages import Message, Refused, notify
from jobs import monitor

WHO = "owner"
"""Nobody else may act. Names and addresses of people stay out of Redis."""
LONGEST = 300
"""Characters of what is said: it travels in a cookie."""


async def act(
    what: str, target: str, doing: Callable[[], Awaitable[Message]], then: str | Callable[[], str]
) -> ResponseReturnValue:
    """Note who does *what* to *target*, do it, note what came of it, and show that on the page *then*.

    *then* may be a function, where only the deed tells which page that is.
    """
    category = "success"
    try:
        said = await monitor.noted(redis(), WHO, what, target, doing)
    except (monitor.QuarqError, ValueError) as error:
        code = error.message.code if isinstance(error, Refused) else type(error).__name__
        said, category = Message(code, str(error)), "error"
    short = said if len(said) <= LONGEST else Message(said.code, said[: LONGEST - 1] + "…")
    await notify(short, category)
    return redirect(then if isinstance(then, str) else then(), 303)
