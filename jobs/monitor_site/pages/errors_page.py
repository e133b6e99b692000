"""The errors: what failed, in groups. Resolve one until it occurs again, ignore it, or open it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from quart import request, url_for
from quart.typing import ResponseReturnValue

from .. import error_groups, live, request_args
from ..acting import act
from ..actions import of_errors
from ..model.search import rows_of
from ..options import redis
from ..ranges import RANGES
from ..routes import blueprint

MOST_SHOWN = 200
TIMES = {"1h": "Last hour", "6h": "Last 6 hours", "24h": "Last 24 hours", "72h": "Last 72 hours"}
"""The names of RANGES in words."""
SORTS = {"count": "Most frequent", "last": "Latest", "first": "Newest"}
STATES = {"open": "Open", "resolved": "Resolved", "ignored": "Ignored", "all": "All"}


@blueprint.get("/errors")
async def errors() -> ResponseReturnValue:
    chosen = {"since": _one_of("since", TIMES), "state": _one_of("state", STATES), "sort": _one_of("sort", SORTS)}

    async def look() -> dict[str, Any]:
        found = await error_groups.errors(
            redis(), since=_span(chosen["since"]), state=chosen["state"], sort=chosen["sort"]
        )
        words = {"groups": found[:MOST_SHOWN], "count": len(found), "attempts": sum(one.count for one in found)}
        return words | {"chosen": chosen, "times": TIMES, "states": STATES, "sorts": SORTS}

    return await live.page("monitor/errors.html", look)


@blueprint.get("/error")
async def error() -> ResponseReturnValue:
    error_id, since = request_args.query("id"), _one_of("since", TIMES)

    async def look() -> dict[str, Any]:
        group = await error_groups.error(redis(), error_id, _span(since)) or request_args.not_found()
        words = {"group": group, "rows": await rows_of(redis(), list(group.jobs)), "since": since, "times": TIMES}
        return words | {"example": await error_groups.example(redis(), group)}

    return await live.page("monitor/one_error.html", look)


@blueprint.post("/error/mark")
async def mark_error() -> ResponseReturnValue:
    """Resolve it, ignore it (with `above`: until more than that many fail in a minute), or open it again."""
    error_id, form = await request_args.form("id"), await request.form
    state, above = form.get("state", ""), request_args.whole(form.get("above", ""))
    if state not in of_errors.MARKED:
        request_args.not_found()
    return await act(*of_errors.mark(error_id, state, above), url_for("monitor.error", id=error_id))


def _one_of(name: str, choices: dict[str, str]) -> str:
    """What is chosen in the query string: the first, if it is missing. 404 if there is no such choice."""
    chosen = request_args.words(name) or next(iter(choices))
    return chosen if chosen in choices else request_args.not_found()


def _span(since: str) -> timedelta:
    return timedelta(minutes=RANGES[since].minutes)
