"""The online workers, and one worker with its jobs and its machine. Quiet it, stop it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from quart import url_for
from quart.typing import ResponseReturnValue

from .. import live, model, request_args, stuck
from ..acting import act
from ..actions import of_workers
from ..options import redis
from ..routes import blueprint

MAX_LISTED_JOBS = 100
"""Running jobs in the list, the longest running first."""


@blueprint.get("/workers")
async def workers() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        lost, runs = await stuck.lost_workers(redis()), await stuck.long_runs(redis())
        return {"workers": await model.workers(redis()), "lost": lost, "stuck": Counter(run.worker for run in runs)}

    return await live.page("monitor/workers.html", look)


@blueprint.get("/worker")
async def worker() -> ResponseReturnValue:
    """One worker. After the worker has gone, the page stays and shows that."""
    name = request_args.query("name")

    async def look() -> dict[str, Any]:
        online = {info.name: info for info in await model.workers(redis())}
        rows = await model.running(redis(), name)
        words = {"name": name, "worker": online.get(name), "rows": rows[:MAX_LISTED_JOBS], "held": len(rows)}
        long_runs = {run.id: run for run in await stuck.long_runs(redis(), name)}
        return words | {"long_runs": long_runs, "now": await model.now(redis())}

    return await live.page("monitor/worker.html", look)


@blueprint.post("/worker/quiet")
async def quiet_worker() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_workers.quiet(name), url_for("monitor.worker", name=name))


@blueprint.post("/worker/stop")
async def stop_worker() -> ResponseReturnValue:
    name = await request_args.form("name")
    return await act(*of_workers.stop(name), url_for("monitor.worker", name=name))
