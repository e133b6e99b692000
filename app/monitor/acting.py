"""How every action of the monitor ends: noted in the audit log, said on the next page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quart import flash, redirect
from quart.typing import ResponseReturnValue

from app.context import redis
from jobs import monitor

WHO = "owner"
"""Nobody else may act. Names and addresses of people stay out of Redis."""
LONGEST = 300
"""Characters of what is said: it travels in a cookie."""
BROKEN_OFF = "Broken off: nobody knows how far it came."


class Refused(Exception):
    """The action could not be done; the message says why."""


async def act(
    what: str, target: str, doing: Awaitable[str], then: str | Callable[[], str]
) -> ResponseReturnValue:
    """Do it, note who did *what* to *target* and what came of it, and show that on the page *then*.

    *then* may be a function, where only the deed tells which page that is. Noted too if Redis fails it midway, or the
    browser leaves: then this is cancelled.
    """
    said, category = BROKEN_OFF, "success"
    try:
        said = await doing
    except (Refused, monitor.QuarqError, ValueError) as error:
        said, category = str(error), "error"
    finally:
        await asyncio.shield(monitor.note(redis(), WHO, what, target, said))
    await flash(said if len(said) <= LONGEST else said[: LONGEST - 1] + "…", category)
    return redirect(then if isinstance(then, str) else then(), 303)
