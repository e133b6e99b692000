"""Carry out an action of the monitor, with an entry in the audit log; pages show the outcome on the next page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Self

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from . import model
from .options import redis
from .viewers import this_viewer
from .web.messages import Message, Refused, notify

MAX_LENGTH = 300
"""Characters of a message, because it is stored in a cookie."""


class Outcome(Message):
    """What was done, in words. `id`: the job that runs because of it. `jobs`: to how many it was done."""

    __slots__ = ("id", "jobs", "more")

    id: str
    jobs: int | None
    more: bool

    def __new__(cls, code: str, sentence: str, id: str = "", jobs: int | None = None, more: bool = False) -> Self:
        """*more*: some are left, for the next time."""
        outcome = super().__new__(cls, code, sentence)
        outcome.id, outcome.jobs, outcome.more = id, jobs, more
        return outcome


def job_that_runs(job_id: str) -> Callable[[Message], str]:
    """Where `act` goes then: to the job that runs because of it, or to this one if it was refused."""
    return lambda message: url_for("monitor.job", id=message.id if isinstance(message, Outcome) else job_id)


class Action(NamedTuple):
    """*what* a viewer does to which *target*, in the words of the audit log, and what does it."""

    what: str
    target: str
    doing: Callable[[], Awaitable[Message]]


async def done(action: Action) -> Message:
    """Carry it out, with its entry in the audit log. QuarqError, ValueError: it was refused."""
    return await model.noted(redis(), this_viewer().name, *action)


async def act(
    what: str, target: str, doing: Callable[[], Awaitable[Message]], then: str | Callable[[Message], str]
) -> ResponseReturnValue:
    """Log that the viewer does *what* to *target*, do it, log the outcome, and show it on the page *then*.

    *then* may be a function of the outcome, for a page that only the action knows.
    """
    category = "success"
    try:
        message = await done(Action(what, target, doing))
    except (model.QuarqError, ValueError) as error:
        code = error.message.code if isinstance(error, Refused) else type(error).__name__
        message, category = Message(code, str(error)), "error"
    short = message if len(message) <= MAX_LENGTH else Message(message.code, message[: MAX_LENGTH - 1] + "…")
    await notify(short, category)
    return redirect(then if isinstance(then, str) else then(message), 303)
