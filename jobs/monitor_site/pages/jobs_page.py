"""Find jobs by id, task, worker, queue, state, time, or a text in arguments and errors, in pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from quart import abort, render_template, request, url_for
from quart.typing import ResponseReturnValue

from ... import monitor
from .. import live, request_args
from ..options import redis
from ..routes import blueprint
from ..web.messages import Message, Refused

PER_PAGE = 50
ENOUGH_ROWS = 10
MOST_STEPS = 4
STATES = (
    ("", "All"),
    ("waiting", "Waiting"),
    ("scheduled", "Scheduled"),
    ("running", "Running"),
    ("STARTED", "Started"),
    ("RETRY", "Waiting for retry"),
    ("SUCCESS", "Succeeded"),
    ("FAILURE", "Failed"),
    ("REVOKED", "Revoked"),
    ("ended", "Finished"),
)
WORDS = ("text", "task", "worker", "queue")


@blueprint.get("/jobs")
async def jobs() -> ResponseReturnValue:
    """The matching jobs, newest first. A search for a text is limited in time, and shows how far back it looked."""
    filters: dict[str, Any] = {name: request_args.words(name) for name in ("state", *WORDS)}
    typed = {"since": request_args.words("since"), "until": request_args.words("until")}
    if filters["state"] not in dict(STATES):
        request_args.not_found()
    try:
        filters |= {name: request_args.moment(value) for name, value in typed.items()}
    except Refused as error:
        return await _nothing(filters | typed, error.message)

    async def look() -> dict[str, Any]:
        page = await _page(**filters)
        return _words(page, filters | typed) | {"next": _next(page)}

    return await live.page("monitor/jobs.html", look)


@blueprint.get("/scheduled")
async def scheduled() -> ResponseReturnValue:
    """The jobs that are due later, soonest first: by their ETA, for a retry, or because of a limit."""
    queue = request_args.words("queue")

    async def look() -> dict[str, Any]:
        page = await _page(state="scheduled", queue=queue)
        return {"page": page, "queue": queue, "next": _next(page)}

    return await live.page("monitor/scheduled.html", look)


async def _page(**filters: str | datetime | None) -> monitor.Page[monitor.JobRow]:
    """One page of jobs. Continues a search that has found few jobs in its time, up to MOST_STEPS times."""
    rows: list[monitor.JobRow] = []
    cursor = request_args.words("cursor")
    for _ in range(MOST_STEPS):
        try:
            page = await monitor.find(
                redis(),
                cursor=cursor,
                limit=PER_PAGE - len(rows),
                **filters,  # type: ignore[arg-type]
            )
        except ValueError:
            abort(404, "This page of jobs does not exist. Start at the first page.")
        rows, cursor = rows + page.rows, page.next
        if not cursor or len(rows) >= ENOUGH_ROWS:
            break
    return monitor.Page(rows, cursor, page.looked_back_to)


def _words(page: monitor.Page[monitor.JobRow], filters: dict[str, Any]) -> dict[str, Any]:
    filtered = any(filters[name] for name in (*WORDS, "state", "since", "until"))
    return {"page": page, "filters": filters, "states": STATES, "filtered": filtered}


def _next(page: monitor.Page[monitor.JobRow]) -> str:
    """The address of the next page, or ''."""
    if not page.next:
        return ""
    given: dict[str, Any] = {name: value for name, value in request.args.items() if value and name != "cursor"}
    return url_for(request.endpoint or "", **given, cursor=page.next)


async def _nothing(filters: dict[str, Any], error: Message) -> ResponseReturnValue:
    words = _words(monitor.Page([]), filters) | {"next": "", "error": error}
    return await render_template("monitor/jobs.html", layout="monitor/layout.html", **words), 400
