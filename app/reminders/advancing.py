"""Write the next reminder of each series whose latest one is over, whatever ended it.

One transaction writes the reminder and moves the series on, so a process that dies has done both or nothing. The code
that sends, cancels or declines a reminder does not know of series, and neither do workers of an earlier release.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Exists, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import Account, hold
from app.reminders.consents import answers
from app.reminders.models import NO_CONSENT, OPEN, Reminder, State, state_after
from app.reminders.repeating import stop
from app.reminders.series import Series

log = logging.getLogger(__name__)

MAX_SERIES = 500
MOST_UNSENT = 3
GIVEN_UP = "Its last three reminders could not be sent, so it does not repeat any more."


async def advance_due() -> None:
    """For each series whose slot is past. Workers call this every second."""
    await _advance_all(Series.slot <= datetime.now(UTC))


async def advance_all() -> None:
    """For every series: one reminder may have been moved to before its slot, and sent."""
    await _advance_all()


async def _advance_all(*which: ColumnElement[bool]) -> None:
    now = datetime.now(UTC)
    query = select(Series.id).where(Series.stopped_at.is_(None), ~_has_open(), *which)
    async with database.session() as db:
        found = (await db.scalars(query.order_by(Series.slot).limit(MAX_SERIES))).all()
    for pk in found:
        try:
            await advance(pk, now)
        except (LookupError, ValueError, OverflowError) as error:  # this worker does not know its zone or rule
            log.warning("series %s waits for a worker that can continue it: %r", pk, error)


async def advance(pk: int, now: datetime) -> None:
    """Write the next reminder of series *pk*, if its latest one is over. Skips the times that are past.

    Safe to call twice and at once: the locked row decides.
    """
    async with database.transaction() as db:
        series = await db.get(Series, pk)
        account = await db.get(Account, series.account_id) if series else None
        if series is None or account is None or not await hold(db, account):
            return
        state = await _state(db, series, account)
        await db.refresh(series, with_for_update=True)
        if series.stopped_at is not None or await db.scalar(select(Series.id).where(Series.id == pk, _has_open())):
            return
        if state == State.DECLINED or await _keeps_failing(db, series):
            await stop(db, series, NO_CONSENT if state == State.DECLINED else GIVEN_UP)
            return
        series.slot = series.following(max(now, series.slot))
        reminder = Reminder(date=series.slot, email=series.email, text=series.text, account_id=series.account_id)
        reminder.series_id, reminder.slot, reminder.state = series.id, series.slot, state
        db.add(reminder)


async def _state(db: AsyncSession, series: Series, account: Account) -> State:
    """The state of its next reminder. Consent is not asked for again: its first reminder did that."""
    if series.email == account.email:
        return State.SCHEDULED
    return state_after(await answers.of_pair(db, account.id, series.email, lock=True))


async def _keeps_failing(db: AsyncSession, series: Series) -> bool:
    of_series = Reminder.series_id == series.id, Reminder.slot.is_not(None)
    latest = select(Reminder.state).where(*of_series).order_by(Reminder.slot.desc()).limit(MOST_UNSENT)
    states = (await db.scalars(latest)).all()
    return len(states) == MOST_UNSENT and set(states) <= {State.FAILED, State.MISSED}


def _has_open() -> Exists:
    """For WHERE: the latest reminder of the series may still be mailed."""
    return exists().where(Reminder.series_id == Series.id, Reminder.slot == Series.slot, Reminder.state.in_(OPEN))
