"""Run a job again with other arguments, or call a task."""

from __future__ import annotations

from collections.abc import Mapping

from .. import editable_call
from ..acting import Action, Outcome
from ..editable_call import EditableCall
from ..options import redis
from ..web.messages import Message, WrongInput

AGAIN, NEW = "edit and run again", "run task"


def run(
    what: str,
    target: str,
    call: EditableCall,
    typed: Mapping[str, str],
    new_id: str,
    queue: str,
    countdown: float,
    sure: bool,
) -> Action:
    """Call it with what was *typed*, as the job *new_id*; asked twice, it is called once. WrongValue names the argument
    that is wrong, before the audit log has an entry; WrongInput what may not be meant, unless somebody is *sure*."""
    if (doubt := call.doubt(typed)) and not sure:
        raise WrongInput("doubtful", f"{doubt}. Is that what you mean?")

    async def do() -> Message:
        if not await editable_call.run(redis(), call, typed, new_id, queue, countdown):
            return Outcome("run-already", f"This was queued already, as {new_id}.", id=new_id)
        return Outcome("edited", f"Queued as {new_id}.", id=new_id)

    return Action(what, target, do)
