"""The events of a calendar: the open reminders of an account, and the times that its series will have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account
from app.mail import address
from app.reminders.models import OPEN, Reminder, owned_by
from app.reminders.series import Series

LONGEST_TEXT = 1_000  # characters of an event
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


@dataclass(frozen=True)
class Source:
    """What the database has for a calendar: the begin of each text, not all of it."""

    account: Account
    now: datetime
    reminders: Sequence[Row[Any]]
    series: Sequence[Series]

    def events(self) -> list[Event]:
        """The events, soonest first, of a year for a series. Takes a second for the largest calendar: use a thread."""
        found = [_of_reminder(row, self.account) for row in self.reminders]
        for series in self.series:
            found += islice(_of_series(series, self.account, self.now), MOST_OF_SERIES)
        return sorted(found, key=lambda event: (event.at, event.name))[:MOST_EVENTS]


async def of_account(db: AsyncSession, account: Account) -> Source:
    """All that `write` needs."""
    shown: list[Any] = [Reminder.id, Reminder.revision, Reminder.date, Reminder.email, Reminder.created_at]
    shown += [Reminder.series_id, Reminder.slot, func.substr(Reminder.text, 1, LONGEST_TEXT).label("text")]
    reminders = (await db.execute(_open(account, *shown))).all()
    return Source(account, datetime.now(UTC), reminders, await _series(db, account))


async def tag(db: AsyncSession, account: Account, *others: str) -> str:
    """Another one for other events. Costs a fraction of them: an edit makes a revision, and a series has few rows.

    Contains the day, because the times of a series within a year move on.
    """
    revisions = (await db.execute(_open(account, Reminder.id, Reminder.revision))).all()
    series = [
        (row.id, row.email, row.text, row.repeat, row.zone, row.start, row.slot) for row in await _series(db, account)
    ]
    found = (account.id, account.email, datetime.now(UTC).date(), others, [tuple(row) for row in revisions], series)
    return hashlib.sha256(repr(found).encode("utf-8", "replace")).hexdigest()[:32]


def _open(account: Account, *columns: Any) -> Select[Any]:
    mine = owned_by(account), Reminder.state.in_(OPEN)
    return select(*columns).where(*mine).order_by(Reminder.date, Reminder.id).limit(MOST_EVENTS)


async def _series(db: AsyncSession, account: Account) -> Sequence[Series]:
    going_on = Series.account_id == account.id, Series.stopped_at.is_(None)
    return (await db.scalars(select(Series).where(*going_on).order_by(Series.id))).all()


def _of_reminder(row: Row[Any], account: Account) -> Event:
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
