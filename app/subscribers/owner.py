"""The owner's pages: the subscribers, and the suppressed ones with their reasons."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import owner_only
from app.mail import address
from app.subscribers import growth, states
from app.subscribers.digest_schedule import next_digest_spelled
from app.subscribers.models import WAITING, State, Subscriber
from app.subscribers.pages import blueprint
from app.web.template_words import reader_zone
from jobs.monitor_site.web.messages import Message, notify

PER_PAGE = 50
SHOWN = (WAITING, *State)


@blueprint.get("/subscribers")
@owner_only
async def index() -> ResponseReturnValue:
    """The subscribers, newest first, in pages of 50, and their number in each state."""
    page = min(max(request.args.get("page", 1, type=int), 1), 1_000_000)
    q, state = request.args.get("q", "").replace("\0", "").strip()[:254], request.args.get("state", "")
    query = select(Subscriber).where(*_which(q, state)).order_by(Subscriber.id.desc())
    async with database.session() as db:
        found = list(await db.scalars(query.limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)))
        counts = await _counts(db)
        weeks = await growth.by_week(db, reader_zone(), datetime.now(UTC))
    return await render_template(
        "subscribers/index.html",
        subscribers=found[:PER_PAGE],
        more=len(found) > PER_PAGE,
        page=page,
        q=q,
        state=state if state in counts else "",
        counts=counts,
        weeks=weeks,
        next_digest=next_digest_spelled(),
    )


@blueprint.get("/subscribers/<int(max=2147483647):pk>")
@owner_only
async def show(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        subscriber = await db.get(Subscriber, pk) or abort(404)
    return await render_template("subscribers/show.html", subscriber=subscriber)


@blueprint.post("/subscribers/<int(max=2147483647):pk>/lift")
@owner_only
async def lift(pk: int) -> ResponseReturnValue:
    """End a suppression."""
    async with database.transaction() as db:
        subscriber = await db.get(Subscriber, pk, with_for_update=True) or abort(404)
        states.lift(subscriber)
    await notify(Message("lifted", "Suppression lifted. Email is sent to this address again."))
    return redirect(url_for("subscribers.show", pk=pk), 303)


@blueprint.post("/subscribers/<int(max=2147483647):pk>/remove")
@owner_only
async def remove(pk: int) -> ResponseReturnValue:
    """Delete the subscriber. Its deliveries keep their rows, without it."""
    async with database.transaction() as db:
        await states.forget(db, await db.get(Subscriber, pk, with_for_update=True) or abort(404))
    await notify(Message("removed", "Subscriber removed."))
    return redirect(url_for("subscribers.index"), 303)


def _which(q: str, state: str) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if q:
        which.append(Subscriber.email.contains(address.stored(q), autoescape=True))
    if state in SHOWN:
        which.append(states.shown_as(state))
    return which


async def _counts(db: AsyncSession) -> dict[str, int]:
    """The number of subscribers in every state, including 0."""
    found = await db.execute(select(states.shown_state().label("shown"), func.count()).group_by("shown"))
    return dict.fromkeys(map(str, SHOWN), 0) | {state: count for state, count in found}
