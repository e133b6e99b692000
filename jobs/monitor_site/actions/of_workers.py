"""Quiet a worker, stop it."""

from __future__ import annotations

from .. import model
from ..acting import Action
from ..options import redis
from ..web.messages import Message, Refused

NOT_RESPONDING = "The worker is not responding: it has stopped or lost its connection. Nothing was done."


def quiet(name: str) -> Action:
    async def do() -> Message:
        if not await model.quiet(redis(), name):
            raise Refused("not-listening", NOT_RESPONDING)
        return Message("quiet", "The worker takes no new jobs. Its running jobs continue. A restart undoes this.")

    return Action("quiet worker", name, do)


def stop(name: str) -> Action:
    async def do() -> Message:
        if not await model.shutdown(redis(), name):
            raise Refused("not-listening", NOT_RESPONDING)
        return Message(
            "stop-requested",
            "Stop requested. The worker finishes its jobs, releases those that take too long, and exits.",
        )

    return Action("stop worker", name, do)
