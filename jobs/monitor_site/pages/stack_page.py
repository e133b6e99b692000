"""Where the jobs of a worker are at this moment: asked of it when the page is opened."""

from __future__ import annotations

from quart import render_template
from quart.typing import ResponseReturnValue

from .. import job_stacks, request_args
from ..options import redis
from ..routes import blueprint


@blueprint.get("/worker/stack")
async def stack() -> ResponseReturnValue:
    """The stack of each of its jobs. Of one whose event loop is blocked, only its log has it."""
    name, blocked = request_args.query("name"), False
    try:
        found = await job_stacks.stacks(redis(), name)
    except TimeoutError:
        found, blocked = [], True
    return await render_template("monitor/stack.html", name=name, found=found, blocked=blocked)
