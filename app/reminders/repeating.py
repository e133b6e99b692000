"""Begin, change and stop the series of a reminder, in the caller's transaction.

Everything that locks does so in one order: account, consent, series, reminder.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account
from app.reminders.models import Reminder, State
from app.reminders.repeat import Repeat
from app.reminders.series import Series


async def lock(db: AsyncSession, reminder: Reminder) -> Series | None:
    """The series of a reminder, locked. None if it is over, or has written a later reminder."""
    query = select(Series).where(Series.id == reminder.series_id, Series.stopped_at.is_(None))
    series = (await db.scalars(query.with_for_update())).one_or_none()
    return series if series is not None and series.slot == reminder.slot else None


async def begin(db: AsyncSession, reminder: Reminder, repeat: Repeat, account: Account) -> None:
    """Make this reminder the first of a series in the zone of its author."""
    series = Series(account_id=account.id, email=reminder.email, text=reminder.text, repeat=repeat)
    series.zone, series.start, series.slot = account.timezone, reminder.date, reminder.date
    db.add(series)
    await db.flush()
    reminder.series_id, reminder.slot = series.id, series.slot


async def follow(
    db: AsyncSession, series: Series, reminder: Reminder, repeat: Repeat, account: Account, *, anew: bool
) -> None:
    """Apply to the series what its latest reminder has become. Unless it begins anew, the 31st stays the 31st."""
    if repeat == Repeat.NEVER:
        series.stopped_at = datetime.now(UTC)
        return
    series.text = reminder.text
    if not anew and series.repeat == repeat:
        return
    series.repeat, series.zone, series.start, series.slot = repeat, account.timezone, reminder.date, reminder.date
    taken = Reminder.series_id == series.id, Reminder.slot == series.slot, Reminder.id != reminder.id
    await db.execute(update(Reminder).where(*taken).values(slot=None))  # a cancelled one
    reminder.slot = series.slot


async def stop(db: AsyncSession, series: Series, reason: str = "") -> list[str]:
    """End a locked series, and cancel its open reminders. Returns the ids of their alarms."""
    series.stopped_at, series.reason = datetime.now(UTC), reason
    open_ = Reminder.series_id == series.id, Reminder.state.in_((State.SCHEDULED, State.WAITING))
    found = (await db.scalars(select(Reminder).where(*open_).order_by(Reminder.id).with_for_update())).all()
    for reminder in found:
        reminder.state = State.CANCELLED
    return [reminder.job_id for reminder in found]
