"""The queues: how much waits in each. Pause, resume and purge one."""

from __future__ import annotations

from typing import Annotated

from quart import abort

from ... import model
from ...acting import Action
from ...actions import of_queues
from ...options import redis
from ...web.messages import Message
from ..answers import Rows
from ..endpoints import read, write
from ..given import Given

WRONG_NAME = Message("wrong-name", "To purge the queue, give its name once more, as confirm.")
Confirm = Annotated[str, Given("The name of the queue once more.")]
Scheduled = Annotated[bool, Given("Revoke jobs with a later time, retries, workflows and their members too.")]


@read("/queues")
async def queues() -> Rows[model.QueueInfo]:
    """Every queue that a worker serves, or that holds something or is paused. Of many unserved ones the fullest; the
    last row, without a name, sums up the others."""
    return Rows(await model.queues(redis()))


@write("/queues/{name}/pause")
async def pause_queue(name: str) -> Action:
    """Have none of its jobs start until it is resumed."""
    return of_queues.pause(name)


@write("/queues/{name}/resume")
async def resume_queue(name: str) -> Action:
    """Have its jobs start again."""
    return of_queues.resume(name)


@write("/queues/{name}/purge")
async def purge_queue(name: str, confirm: Confirm, scheduled: Scheduled = False) -> Action:
    """Revoke what waits in it, for 5 s at most: if `more` is answered, some is left."""
    if confirm != name:
        abort(400, WRONG_NAME)
    return of_queues.purge(name, scheduled)
