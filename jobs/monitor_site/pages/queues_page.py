"""The queues: their depth and latency. Pause, resume and purge one."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import Any

from quart import render_template, request, url_for
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, request_args, viewers
from ..acting import act
from ..options import redis
from ..routes import blueprint
from ..web.messages import Message

PURGE_S = 5
"""How long one press of the button may purge. A longer request would exceed the browser's time-out."""
PAUSED = Message("paused", "Paused. Its jobs do not start.")
WAS_PAUSED = Message("paused-already", "The queue was already paused.")
RESUMED = Message("resumed", "Resumed. Its jobs start again.")
WAS_NOT_PAUSED = Message("not-paused", "The queue was not paused.")
WRONG_NAME = Message("wrong-name", "This is not the name of the queue. To confirm, type the name.")


@blueprint.get("/queues")
async def queues() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"queues": await monitor.queues(redis())}

    return await live.page("monitor/queues.html", look)


@blueprint.post("/queue/pause")
async def pause_queue() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        done = await monitor.pause(redis(), name)
        return PAUSED if done else WAS_PAUSED

    return await act("pause queue", name, do, url_for("monitor.queues"))


@blueprint.post("/queue/resume")
async def resume_queue() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        done = await monitor.resume(redis(), name)
        return RESUMED if done else WAS_NOT_PAUSED

    return await act("resume queue", name, do, url_for("monitor.queues"))


@blueprint.get("/queue/purge")
async def ask_purge() -> ResponseReturnValue:
    """Show how many jobs a purge would end, and a field to type the queue's name."""
    viewers.require_acting()
    return await _ask(request_args.query("name"))


@blueprint.post("/queue/purge")
async def purge_queue() -> ResponseReturnValue:
    """Revoke the waiting jobs. Running jobs continue.

    On a long queue one press purges a part, and the answer is a page that continues. That page has no address of its
    own, so that no link can lead the owner to one that purges a queue.
    """
    name = await request_args.form("name")
    form = await request.form
    if form.get("typed", "").strip() != name:
        return await _ask(name, WRONG_NAME), 400
    too, before = form.get("scheduled") == "1", request_args.whole(form.get("ended", ""))
    ended, goes_on = before, False

    async def do() -> Message:
        nonlocal ended, goes_on
        now, goes_on = await _purge(name, too)
        ended += now
        text = f"{now:,} job{'' if now == 1 else 's'} purged{f', {ended:,} in total' if before else ''}."
        return Message("purged", text + (" More remain." if goes_on else await _what_stays(name)))

    what = "purge queue, scheduled jobs too" if too else "purge queue"
    done = await act(what, name, do, url_for("monitor.queues"))
    return await _ask(name, goes_on=True, too=too, ended=ended) if goes_on else done


async def _purge(name: str, too: bool) -> tuple[int, bool]:
    """Purge for PURGE_S. Returns how many jobs it has ended, and whether more remain."""
    ended, until = 0, time.monotonic() + PURGE_S
    async with aclosing(monitor.purge_queue(redis(), name, too)) as steps:
        async for n in steps:
            ended += n
            if n and time.monotonic() > until:
                return ended, True
    return ended, False


async def _what_stays(name: str) -> str:
    [queue] = await monitor.queues_named(redis(), [name])
    stays = queue.due + queue.scheduled
    return f" {stays:,} remain{'s' if stays == 1 else ''} in the queue." if stays else ""


async def _ask(name: str, error: Message | None = None, **words: Any) -> str:
    [queue] = await monitor.queues_named(redis(), [name])
    if not queue.is_of_interest and not words:
        request_args.not_found()
    return await render_template("monitor/purge.html", queue=queue, error=error, **words)
