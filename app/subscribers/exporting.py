"""The owner's download of the subscribers as CSV, in pages from the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from quart import Response, request, stream_with_context
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import owner_only
from app.subscribers import sheets, states
from app.subscribers.models import Subscriber
from app.subscribers.owner import SHOWN
from app.subscribers.pages import blueprint

COLUMNS = ("email", "state", "created_at", "asked_at", "confirmed_at", "ended_at", "reason")
ATTRIBUTES = {"state": "shown_state"}
AT_ONCE = 1_000  # rows in memory


@blueprint.post("/subscribers/export")
@owner_only
async def export() -> ResponseReturnValue:
    """All subscribers, or those in one state."""
    state = (await request.form).get("state", "")
    known = state if state in SHOWN else ""
    response = Response(stream_with_context(_lines)(known), content_type="text/csv; charset=utf-8")
    name = f"subscribers-{known}.csv" if known else "subscribers.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _lines(state: str) -> AsyncIterator[str]:
    yield sheets.row(COLUMNS)
    last = 0
    while True:
        query = select(Subscriber).where(Subscriber.id > last).order_by(Subscriber.id).limit(AT_ONCE)
        async with database.session() as db:
            found = (await db.scalars(query.where(states.shown_as(state)) if state else query)).all()
        if not found:
            return
        yield "".join(
            sheets.row(_cell(getattr(subscriber, ATTRIBUTES.get(name, name))) for name in COLUMNS)
            for subscriber in found
        )
        last = found[-1].id


def _cell(value: str | datetime | None) -> str:
    return value.isoformat() if isinstance(value, datetime) else value or ""
