"""Resolve an error, ignore it, or open it again."""

from __future__ import annotations

from .. import error_groups
from ..acting import Action
from ..options import redis
from ..web.messages import Message, Refused

MARKED = {
    "resolved": Message("error-resolved", "Resolved. It opens again if it occurs again."),
    "ignored": Message("error-ignored", "Ignored."),
    "open": Message("error-open", "Opened again."),
}
GONE = Message("error-gone", "This error is not kept any more.")


def mark(error_id: str, state: str, above: int = 0) -> Action:
    """*above*: of one that is ignored, until more than this many attempts fail in a minute; 0 is for good."""

    async def do() -> Message:
        if not await error_groups.mark_error(redis(), error_id, state, above):
            raise Refused(GONE.code, GONE)
        if state == "ignored" and above:
            return Message("error-ignored", f"Ignored until more than {above:,} attempts fail in a minute.")
        return MARKED[state]

    return Action(f"error {state}", error_id, do)
