"""The pages to list, show and cancel reminders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from quart import Blueprint, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import current_account, signed_in
from app.reminders.consents import answers
from app.reminders.models import NO_CONSENT, OPEN, Reminder, State, owned_by
from jobs import Result
from jobs.monitor_site.web.messages import Message, notify

PER_PAGE = 20
REFUSED = Message("no-consent", NO_CONSENT)
CANCELLED = Message("cancelled", "Reminder cancelled. It will not be sent.")
TOO_LATE = {
    State.SENDING: Message("sending", "Too late: the reminder is being sent now."),
    State.SENT: Message("sent", "Too late: the reminder was already sent."),
    State.CANCELLED: Message("already-cancelled", "The reminder is already cancelled."),
    State.DECLINED: REFUSED,
}
"""Why a reminder cannot be changed in this state."""

log = logging.getLogger(__name__)
blueprint = Blueprint("reminders", __name__, template_folder="templates", url_prefix="/reminders")


@blueprint.get("/")
@signed_in
async def index() -> ResponseReturnValue:
    """The upcoming reminders, soonest first, and the past ones, newest first."""
    page = min(max(request.args.get("page", 1, type=int), 1), 1_000_000)
    mine = owned_by(current_account())
    open_ = Reminder.state.in_(OPEN)
    async with database.session() as db:
        coming = await _some(db, select(Reminder).where(mine, open_).order_by(Reminder.date), page)
        past = await _some(db, select(Reminder).where(mine, ~open_).order_by(Reminder.date.desc()), page)
    return await render_template(
        "reminders/index.html",
        coming=coming[:PER_PAGE],
        past=past[:PER_PAGE],
        page=page,
        more=len(coming) > PER_PAGE or len(past) > PER_PAGE,
        refresh=_refresh_s(coming[:PER_PAGE]),
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
    """Cancel the reminder. Once this answers, no mail is sent."""
    async with database.transaction() as db:
        reminder = await mine(db, pk, lock=True)
        if not reminder.can_change:
            return await too_late(reminder)
        reminder.state = State.CANCELLED
    await revoke(reminder.job_id)
    await notify(CANCELLED)
    return redirect(url_for("reminders.index"), 303)


async def mine(db: AsyncSession, pk: int, *, lock: bool = False) -> Reminder:
    """The reminder, if this account owns it. 404 otherwise."""
    query = select(Reminder).where(Reminder.id == pk, owned_by(current_account()))
    found = (await db.scalars(query.with_for_update() if lock else query)).one_or_none()
    return found or abort(404)


async def revoke(job_id: str) -> None:
    """Remove an alarm. One that stays does nothing."""
    try:
        await Result(job_id).revoke()
    except Exception as error:
        log.info("%s was not revoked: %s", job_id, error)


async def too_late(reminder: Reminder) -> ResponseReturnValue:
    await notify(TOO_LATE[State(reminder.state)], "warning")
    return redirect(url_for("reminders.show", pk=reminder.id), 303)


async def _some(db: AsyncSession, query: object, page: int) -> Sequence[Reminder]:
    """One page of the query, and one more row, which shows that there is another page."""
    some = query.limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)  # type: ignore[attr-defined]
    return list(await db.scalars(some))


def _refresh_s(reminders: Sequence[Reminder]) -> int:
    """How often to refresh the page. 0 if nothing on it can change within ten minutes."""
    moments = [r.next_try_at for r in reminders if r.state in OPEN]
    if not moments:
        return 0
    left = (min(moments) - datetime.now(UTC)).total_seconds()
    return 0 if left > 600 else 2 if left < 60 else 15
