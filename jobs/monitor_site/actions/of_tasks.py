"""Change the rate limit of a task."""

from __future__ import annotations

from .. import model
from ..acting import Action
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
