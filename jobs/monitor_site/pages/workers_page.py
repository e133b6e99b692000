"""The online workers, and one worker with its jobs and its machine. Quiet it, stop it."""

from __future__ import annotations

from typing import Any

from quart import url_for
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, request_args
from ..acting import act
from ..options import redis
from ..routes import blueprint
from ..web.messages import Message, Refused

MAX_LISTED_JOBS = 100
"""Running jobs in the list, the longest running first."""
NOT_RESPONDING = "The worker is not responding: it has stopped or lost its connection. Nothing was done."


@blueprint.get("/workers")
async def workers() -> ResponseReturnValue:
    async def look() -> dict[str, Any]:
        return {"workers": await monitor.workers(redis())}

    return await live.page("monitor/workers.html", look)


@blueprint.get("/worker")
async def worker() -> ResponseReturnValue:
    """One worker. After the worker has gone, the page stays and shows that."""
    name = request_args.query("name")

    async def look() -> dict[str, Any]:
        online = {info.name: info for info in await monitor.workers(redis())}
        rows = await monitor.running(redis(), name)
        return {"name": name, "worker": online.get(name), "rows": rows[:MAX_LISTED_JOBS], "held": len(rows)}

    return await live.page("monitor/worker.html", look)


@blueprint.post("/worker/quiet")
async def quiet_worker() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        if not await monitor.quiet(redis(), name):
            raise Refused("not-listening", NOT_RESPONDING)
        return Message("quiet", "The worker takes no new jobs. Its running jobs continue. A restart undoes this.")

    return await act("quiet worker", name, do, url_for("monitor.worker", name=name))


@blueprint.post("/worker/stop")
async def stop_worker() -> ResponseReturnValue:
    name = await request_args.form("name")

    async def do() -> Message:
        if not await monitor.shutdown(redis(), name):
            raise Refused("not-listening", NOT_RESPONDING)
        return Message(
            "stop-requested",
            "Stop requested. The worker finishes its jobs, releases those that take too long, and exits.",
        )

    return await act("stop worker", name, do, url_for("monitor.worker", name=name))
