"""The events of a calendar: the open reminders of an account, and the times that its series will have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account
from app.mail import address
from app.reminders.models import OPEN, Reminder, owned_by
from app.reminders.series import Series

MOST_EVENTS = 2_000
MOST_OF_SERIES = 60
AHEAD = timedelta(days=366)


@dataclass(frozen=True)
class Event:
    """One time of a reminder. `name` stays the same when it is edited, and when a time of a series is written."""

    name: str
    at: datetime
    text: str
    to: str
    made_at: datetime
    revision: int = 0
    pk: int | None = None


async def of_account(db: AsyncSession, account: Account) -> list[Event]:
    """The events, soonest first, of a year for a series."""
    now = datetime.now(UTC)
    mine = select(Reminder).where(owned_by(account), Reminder.state.in_(OPEN)).order_by(Reminder.date)
    found = [_of_reminder(row, account) for row in await db.scalars(mine.limit(MOST_EVENTS))]
    going_on = select(Series).where(Series.account_id == account.id, Series.stopped_at.is_(None))
    for series in await db.scalars(going_on.order_by(Series.id)):
        found += islice(_of_series(series, account, now), MOST_OF_SERIES)
    return sorted(found, key=lambda event: (event.at, event.name))[:MOST_EVENTS]


def _of_reminder(row: Reminder, account: Account) -> Event:
    name = f"reminder-{row.id}" if row.slot is None else _name(row.series_id, row.slot)
    return Event(_of(account, name), row.date, row.text, _to(row.email, account), row.created_at, row.revision, row.id)


def _of_series(series: Series, account: Account, now: datetime) -> Iterator[Event]:
    at = series.following(max(now, series.slot))
    while at < now + AHEAD:
        to = _to(series.email, account)
        yield Event(_of(account, _name(series.id, at)), at, series.text, to, series.created_at)
        at = series.following(at)


def _name(series_id: int | None, slot: datetime) -> str:
    return f"series-{series_id}-{slot:%Y%m%dT%H%M%SZ}"


def _to(email: str, account: Account) -> str:
    return "" if email == account.email else address.shown(email)


def _of(account: Account, name: str) -> str:
    """With when the account was made, because a new database has the same ids."""
    return f"{name}-{account.created_at:%Y%m%d%H%M%S}"
