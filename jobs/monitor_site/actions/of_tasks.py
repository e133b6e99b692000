"""Change the limits of a task."""

from __future__ import annotations

from .. import model
from ..acting import Action
from ..model import limits
from ..options import redis
from ..web.messages import Message

RATE_SET = Message("rate-set", "Rate limit set to {}.")
RATE_GONE = Message("rate-gone", "Rate limit removed.")


def change_rate(name: str, rate: str) -> Action:
    """Set the rate limit for all workers; '' removes it. It permanently overrides the one in the code."""

    async def do() -> Message:
        await model.set_rate_limit(redis(), name, rate or None)
        return RATE_SET.format(rate) if rate else RATE_GONE

    return Action("change rate limit", name, do)


def change_limit(name: str, key: str, limit: str) -> Action:
    """Change what counts for a task, or for a key of it: `5` at a time, `10/s`, '' for what is declared, `pause` or
    `resume`."""

    async def do() -> Message:
        own = await limits.limit_key(redis(), name, key)
        await limits.change_limit(redis(), name, own, limit)
        of = limits.shown_key(own) or "all jobs"
        done = {"pause": "Paused for {}.", "resume": "Resumed for {}.", "": "What is declared counts again for {}."}
        return Message("limit-changed", done.get(limit, "{1} counts for {0} now.").format(of, limit))

    return Action("change limit", name, do)
