"""The jobs that a query finds, as a list of one line for each, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from ...errors import WrongValue
from ...values.short_text import cut
from .. import job_count, live, model, request_args, shell
from ..argument_names import search_hint
from ..model.search import row_of
from ..options import redis
from ..query import Query, Term, parse
from ..routes import blueprint
from ..seen_versions import versions
from ..viewers import reader_zone
from ..web.messages import Message

PER_PAGE = 50
COUNT_S = 0.02
"""How long the matches are counted. If that is not all, the page says `1,500+`."""
STATES = {
    "": "All", "waiting": "Waiting", "running": "Running", "suspended": "Suspended", "scheduled": "Scheduled",
    "held": "Held", "retry": "Retry", "succeeded": "Succeeded", "failed": "Failed", "revoked": "Revoked",
}  # fmt: skip
RANGES = {"": "Any time", "15m": "15 min", "1h": "1 h", "00:00": "Today"}
SORTS = {"": "Current first", "oldest": "Oldest", "took": "Run time", "waited": "Wait time", "started": "Start"}
OLD = ("state", "task", "queue", "worker", "since", "until", "text")
"""What addresses of earlier releases have."""


@blueprint.get("/jobs")
async def jobs() -> ResponseReturnValue:
    """The matching jobs, newest first, or the job of this id. A search is limited in time, and says how far it got."""
    if any(request.args.get(name) for name in OLD):
        return redirect(url_for("monitor.jobs", q=_line_of(request.args)))
    line, cursor = request_args.words("q"), request_args.words("cursor")
    try:
        query = parse(line)
    except WrongValue as error:
        return await _refused(line, Message("wrong-query", str(error)))
    wanted = query.wanted(await model.now(redis()), reader_zone())
    if wanted.job_id and not cursor and await row_of(redis(), wanted.job_id):
        return redirect(url_for("monitor.job", id=wanted.job_id), 303)

    async def look() -> dict[str, Any]:
        wanted = query.wanted(await model.now(redis()), reader_zone())
        page = await _page(wanted, cursor)
        words = await _words(line, query) | {
            "page": page,
            "is_short": _is_short(page),
            "next": _next(page),
            "number": request_args.number("page") or 1,
        }
        now = (await shell.reading()).overview
        long_runs = {run.id: run for run in now.long_runs}
        words["hint"] = "" if page.rows else await search_hint(redis(), query)
        return words | {"now": now, "long_runs": long_runs, "count": await _count(wanted, page, cursor)}

    return await live.page("monitor/jobs.html", look)


@blueprint.get("/scheduled")
async def scheduled() -> ResponseReturnValue:
    """Where earlier releases had a list of its own."""
    return redirect(shell.find_url("state:scheduled", queue=request_args.words("queue")))


def _line_of(given: Mapping[str, str]) -> str:
    terms = [Term("" if name == "text" else name, given[name].strip()) for name in OLD if given.get(name)]
    return " ".join(str(term).lower() if term.filter == "state" else str(term) for term in terms)


async def _page(wanted: model.Wanted, cursor: str) -> model.Page[model.JobRow]:
    try:
        return await model.find(redis(), wanted, cursor=cursor, limit=PER_PAGE)
    except ValueError:
        abort(404, "This page of jobs does not exist. Start at the first page.")


def _is_short(page: model.Page[model.JobRow]) -> bool:
    """Whether the search ended early: it takes a bounded time."""
    return page.next != "" and len(page.rows) < PER_PAGE


async def _count(wanted: model.Wanted, page: model.Page[model.JobRow], cursor: str) -> tuple[int, bool] | None:
    """How many match, and whether that is all. None for a stream: what a page says of that is of when it was opened."""
    if live.is_stream() or _is_short(page):
        return None
    if not (cursor or page.next):
        return page.sorted_of or len(page.rows), page.looked_back_to is None
    return await job_count.count(redis(), wanted, patience_s=COUNT_S)


async def _words(line: str, query: Query) -> dict[str, Any]:
    newest = [] if live.is_stream() else (await versions(redis()))[:1]
    ranges = RANGES | {f"{one.since:%Y-%m-%dT%H:%M:%SZ}": f"Since {cut(one.name, 24)}" for one in newest}
    words: dict[str, Any] = {"line": line, "query": query, "states": STATES, "ranges": ranges, "sorts": SORTS}
    state = query.value("state")
    heading = {"": "Jobs", "retry": "Jobs that wait for a retry", "held": "Jobs that a limit holds"}.get(
        state
    ) or f"{STATES.get(state, 'Found')} jobs"
    return words | {"heading": heading}


def _next(page: model.Page[model.JobRow]) -> str:
    """The address of the next page, or ''."""
    number = (request_args.number("page") or 1) + 1
    return url_for("monitor.jobs", q=request.args.get("q"), cursor=page.next, page=number) if page.next else ""


async def _refused(line: str, error: Message) -> ResponseReturnValue:
    now = await shell.reading(0)
    words = await _words(line, Query()) | {"figures": now.figures, "names": await shell.names(now), "now": now.overview}
    return await render_template("monitor/jobs.html", layout="monitor/layout.html", error=error, **words), 400


@blueprint.app_template_global()
def with_term(query: Query, name: str, value: str) -> str:
    """The address of the same search with another value of this filter; '' for none."""
    terms = [term for term in query.terms if term.filter != name] + ([Term(name, value)] if value else [])
    return url_for("monitor.jobs", q=str(Query(tuple(terms))) or None)


@blueprint.app_template_global()
def without_term(query: Query, term: Term) -> str:
    """The address of the same search without this word."""
    return url_for("monitor.jobs", q=str(Query(tuple(one for one in query.terms if one is not term))) or None)
