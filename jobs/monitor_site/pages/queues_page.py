"""The queues: their depth and latency. Pause, resume and purge one."""

from __future__ import annotations

from typing import Any

from quart import render_template, request, url_for
from quart.typing import ResponseReturnValue

from .. import forecasting, live, model, request_args, viewers
from ..acting import Outcome, act
from ..actions import of_queues
from ..options import redis
from ..ranges import history
from ..routes import blueprint
from ..summary import unknown_tasks
from ..web.messages import Message

WRONG_NAME = Message("wrong-name", "This is not the name of the queue. To confirm, type the name.")


@blueprint.get("/queues")
async def queues() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        workers = await model.workers(redis())
        rows = await model.queues(redis(), workers)
        forecasts = await forecasting.forecasts(redis(), workers, rows, await history(redis()))
        return {"forecasts": forecasts, "others": [row for row in rows if row.others],
                "unknown": list(unknown_tasks(rows, workers))}  # fmt: skip

    return await live.page("monitor/queues.html", look)


@blueprint.post("/queue/pause")
async def pause_queue() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_queues.pause(name), url_for("monitor.queues"))


@blueprint.post("/queue/resume")
async def resume_queue() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_queues.resume(name), url_for("monitor.queues"))


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
    outcomes = list[Message]()

    def then(outcome: Message) -> str:
        outcomes.append(outcome)
        return url_for("monitor.queues")

    answer = await act(*of_queues.purge(name, too, before), then)
    [outcome] = outcomes
    if isinstance(outcome, Outcome) and outcome.more:
        return await _ask(name, goes_on=True, too=too, ended=before + (outcome.jobs or 0))
    return answer


async def _ask(name: str, error: Message | None = None, **words: Any) -> str:
    [queue] = await model.queues_named(redis(), [name])
    if not queue.is_of_interest and not words:
        request_args.not_found()
    return await render_template("monitor/purge.html", queue=queue, error=error, **words)
