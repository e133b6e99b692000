"""The pages to list, show and cancel reminders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from quart import Blueprint, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app import database, times
from app.accounts import current_account, signed_in
from app.reminders import limits, repeating
from app.reminders.advancing import advance
from app.reminders.arming import revoke
from app.reminders.consents import answers
from app.reminders.models import NO_CONSENT, OPEN, Reminder, State, owned_by
from app.reminders.series import Series
from jobs.monitor_site.web.messages import Message, notify

PER_PAGE = 20
ENDED_FOR = timedelta(days=30)
"""How long the upcoming reminders show a series that has ended by itself."""
REFUSED = Message("no-consent", NO_CONSENT)
CANCELLED = Message("cancelled", "Reminder cancelled. It will not be sent.")
SKIPPED = Message("skipped", "This one is cancelled. The reminder goes on repeating.")
STOPPED = Message("stopped", "Stopped. Nothing more of it will be sent.")
NOT_REPEATING = Message("not-repeating", "This reminder does not repeat.")
TOO_OFTEN = Message("too-often", "You have set and cancelled too many reminders. Stop this one, or cancel it in {}.")
TOO_LATE = {
    State.SENDING: Message("sending", "Too late: the reminder is being sent now."),
    State.SENT: Message("sent", "Too late: the reminder was already sent."),
    State.CANCELLED: Message("already-cancelled", "The reminder is already cancelled."),
    State.DECLINED: REFUSED,
}
"""Why a reminder cannot be changed in this state."""

blueprint = Blueprint("reminders", __name__, template_folder="templates", url_prefix="/reminders")


@blueprint.get("/")
@signed_in
async def index() -> ResponseReturnValue:
    """The upcoming reminders, soonest first."""
    return await _list(Reminder.state.in_(OPEN), Reminder.date, ended=await _ended())


@blueprint.get("/sent")
@signed_in
async def sent() -> ResponseReturnValue:
    """The reminders that are over, latest first."""
    return await _list(Reminder.state.not_in(OPEN), Reminder.date.desc())


async def _ended() -> Sequence[Reminder]:
    """The last reminders of the series that have ended by themselves lately, latest first."""
    own = Series.account_id == current_account().id, Series.reason != ""
    lately = Series.stopped_at > datetime.now(UTC) - ENDED_FOR
    query = select(Reminder).join(Series, (Series.id == Reminder.series_id) & (Series.slot == Reminder.slot))
    query = query.where(*own, lately).order_by(Series.stopped_at.desc(), Series.id).limit(PER_PAGE)
    async with database.session() as db:
        return (await db.scalars(query.options(selectinload(Reminder.series)))).all()


async def _list(which: ColumnElement[bool], order: Any, ended: Sequence[Reminder] = ()) -> str:
    page = min(max(request.args.get("page", 1, type=int), 1), 1_000_000)
    query = select(Reminder).where(owned_by(current_account()), which).options(selectinload(Reminder.series))
    async with database.session() as db:
        some = query.order_by(order, Reminder.id).limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)
        found = (await db.scalars(some)).all()
    shown = found[:PER_PAGE]
    more, refresh = len(found) > PER_PAGE, _refresh_s(shown)
    return await render_template(
        "reminders/index.html", reminders=shown, page=page, more=more, refresh=refresh, ended=ended
    )


@blueprint.get("/<int(max=2147483647):pk>")
@signed_in
async def show(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        reminder = await mine(db, pk)
        waiting = reminder.state == State.WAITING
        consent = await answers.of_pair(db, current_account().id, reminder.email) if waiting else None
    return await render_template(
        "reminders/show.html", reminder=reminder, consent=consent, refresh=_refresh_s([reminder])
    )


@blueprint.post("/<int(max=2147483647):pk>/cancel")
@signed_in
async def cancel(pk: int) -> ResponseReturnValue:
    """Cancel the reminder. Once this answers, no mail is sent. In place of one that repeats the next one is written."""
    async with database.session() as db:
        reminder = await mine(db, pk)
    writes_next = reminder.can_change and reminder.repeats
    if writes_next and (wait_s := await limits.take(current_account(), reminder.email)):
        await notify(TOO_OFTEN.format(times.wait(wait_s)), "warning")
        return redirect(url_for("reminders.show", pk=pk), 303)
    async with database.transaction() as db:
        reminder = await mine(db, pk, lock=True)
        if not reminder.can_change:
            return await too_late(reminder)
        reminder.state = State.CANCELLED
    await revoke(reminder.job_id)
    if reminder.repeats and reminder.series_id is not None:
        await advance(reminder.series_id, datetime.now(UTC))  # if this process dies here, a worker does it
    await notify(SKIPPED if reminder.repeats else CANCELLED)
    return redirect(url_for("reminders.index"), 303)


@blueprint.post("/<int(max=2147483647):pk>/stop")
@signed_in
async def stop(pk: int) -> ResponseReturnValue:
    """End the series of a reminder. Once this answers, no further mail of it is sent."""
    async with database.transaction() as db:
        reminder = await mine(db, pk)
        series = await db.get(Series, reminder.series_id or 0, with_for_update=True)
        repeats = series is not None and series.stopped_at is None
        jobs = await repeating.stop(db, series) if series is not None and repeats else []
    for job_id in jobs:
        await revoke(job_id)
    await notify(STOPPED if repeats else NOT_REPEATING, "success" if repeats else "warning")
    return redirect(url_for("reminders.show", pk=pk), 303)


async def mine(db: AsyncSession, pk: int, *, lock: bool = False) -> Reminder:
    """The reminder, if this account owns it. 404 otherwise."""
    query = select(Reminder).where(Reminder.id == pk, owned_by(current_account()))
    query = query.options(selectinload(Reminder.series)).execution_options(populate_existing=True)
    found = (await db.scalars(query.with_for_update() if lock else query)).one_or_none()
    return found or abort(404)


async def too_late(reminder: Reminder) -> ResponseReturnValue:
    await notify(TOO_LATE[State(reminder.state)], "warning")
    return redirect(url_for("reminders.show", pk=reminder.id), 303)


def _refresh_s(reminders: Sequence[Reminder]) -> int:
    """How often to refresh the page. 0 if nothing on it can change within ten minutes."""
    moments = [r.next_try_at for r in reminders if r.state in OPEN]
    if not moments:
        return 0
    left = (min(moments) - datetime.now(UTC)).total_seconds()
    return 0 if left > 600 else 2 if left < 60 else 15
