"""The page of the playground: run an example with one click, and see its progress."""

from __future__ import annotations

import asyncio

from quart import Blueprint, abort, redirect, render_template, session, url_for
from quart.typing import ResponseReturnValue

from app import times
from app.accounts import current_account, owner_only
from app.playground.examples import EXAMPLES
from app.playground.runs import Run, read
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.error_pages import REDIS_AWAY
from jobs.monitor_site.web.messages import Message

PATIENCE_S = 3

blueprint = Blueprint("playground", __name__, template_folder="templates", url_prefix="/playground")


@blueprint.get("/")
@owner_only
async def index() -> str:
    """Every example, with the last run that this browser has started."""
    runs = await _runs(session.get("runs", {}))
    under_way = any(not run.ended for run in runs.values())
    return await render_template(
        "playground/index.html", examples=EXAMPLES.values(), runs=runs, refresh=1 if under_way else 0
    )


@blueprint.post("/<name>")
@owner_only
async def run(name: str) -> ResponseReturnValue:
    """Run this example. Rate limited."""
    if (example := EXAMPLES.get(name)) is None:
        abort(404)
    allowance = Limit(f"playground-{name}", str(current_account().id), times=example.a_minute, period_s=60)
    if wait_s := await current_rate_limits().take(allowance):
        abort(429, Message("too-often", f"Too many requests. Try again in {times.wait(wait_s)}."))
    result = await example.run()
    session["runs"] = session.get("runs", {}) | {name: result.id}
    return redirect(url_for("playground.index", _anchor=name), 303)


async def _runs(ids: dict[str, str]) -> dict[str, Run]:
    """The last run of each example that Redis still has."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            runs = {name: await read(job_id) for name, job_id in ids.items() if name in EXAMPLES}
    except TimeoutError:
        abort(503, REDIS_AWAY)
    return {name: run for name, run in runs.items() if run is not None}
