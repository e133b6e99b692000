"""What a reply does, in a transaction of its own. Each is safe to repeat: a mail leads to one later reminder at most.

A reply locks in the order of `app/reminders/repeating.py`: account, series, reminder.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, times
from app.accounts import Account, hold
from app.context import site
from app.reminders import arming, limits, repeating
from app.reminders.models import NO_CONSENT, Reminder, State, may_be_mailed
from app.reminders.replies import links
from app.reminders.series import Series
from app.web import link_rates
from app.web.rate_limits import RateLimitsUnavailable
from jobs.monitor_site.web.messages import Refused

MOST_SNOOZES = 20
"""How often one reminder can be put off, mail after mail."""
MOST_CHANGES = 20
"""How often the links of one mail can move the later reminder."""
CANCELLABLE = (State.SCHEDULED, State.WAITING, State.CANCELLED)


class Reply(StrEnum):
    """What the reader of a reminder can answer."""

    DONE = "done"
    HOUR = "hour"
    TOMORROW = "tomorrow"
    WEEK = "week"
    STOP = "stop"


class Gone(Exception):
    """The link is not valid (any more)."""


def later(reply: Reply, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When a snoozed reminder is sent. None for a reply that is no snooze."""
    match reply:
        case Reply.HOUR:
            return now.replace(second=0, microsecond=0) + timedelta(minutes=61)
        case Reply.TOMORROW:
            return times.morning(zone, now, days=1)
        case Reply.WEEK:
            return times.morning(zone, now, days=7)
    return None


async def act(pk: int, token: str, reply: Reply) -> bool:
    """Carry out this reply. False if the series was stopped before. Gone or Refused if nothing was changed."""
    async with database.session() as db:
        reminder = await find(db, pk, token)
        account = await author(db, reminder)
        at = later(reply, await zone_of(db, reminder), datetime.now(UTC))
    counts = await _count(reminder)
    async with database.transaction() as db:
        if account is not None and not await hold(db, account):
            raise Gone
        if reply == Reply.STOP:
            series = await running_series(db, reminder, account, lock=True)
            alarms, changed = (await repeating.stop(db, series), True) if series else ([], False)
        else:
            reminder = await find(db, pk, token, lock=True)
            alarms = await (_snooze(db, reminder, account, at, counts) if at else _done(db, reminder))
            changed = True
    for job_id in alarms:
        await arming.revoke(job_id)
    return changed


async def _count(reminder: Reminder) -> bool:
    """Count a reply by this link, or refuse it. False while Redis is away, when nothing is counted."""
    try:
        wait_s = await link_rates.take("reply", reminder.id)
    except RateLimitsUnavailable:
        return False
    if wait_s:
        raise Refused("too-often", f"Too many replies. Try again in {times.wait(wait_s)}.")
    return True


async def find(db: AsyncSession, pk: int, token: str, *, lock: bool = False) -> Reminder:
    """The reminder of this link, or Gone."""
    reminder = await links.find(db, pk, token, site(), lock=lock)
    if reminder is None:
        raise Gone
    return reminder


async def author(db: AsyncSession, reminder: Reminder) -> Account | None:
    """The account that set it. None if it was made in a shell."""
    return await db.get(Account, reminder.account_id) if reminder.account_id else None


async def zone_of(db: AsyncSession, reminder: Reminder) -> ZoneInfo:
    """The zone of its reader, if that has an account; else of its author; else of the site."""
    reader = await db.scalar(select(Account).where(Account.email == reminder.email))
    account = reader or await author(db, reminder)
    return ZoneInfo(account.timezone if account else site().timezone)


async def snoozed(db: AsyncSession, reminder: Reminder) -> Reminder | None:
    """The later reminder that a reply has made, in any state."""
    return (await db.scalars(select(Reminder).where(Reminder.snooze_of == reminder.id))).one_or_none()


async def series_of(
    db: AsyncSession, reminder: Reminder, account: Account | None, *, lock: bool = False
) -> Series | None:
    """The series of its reader, who is its author too. It may be stopped."""
    if account is None or reminder.email != account.email or reminder.series_id is None:
        return None
    return await db.get(Series, reminder.series_id, with_for_update=lock or None)


async def running_series(
    db: AsyncSession, reminder: Reminder, account: Account | None, *, lock: bool = False
) -> Series | None:
    """The series that its reader can stop: their own, which goes on."""
    series = await series_of(db, reminder, account, lock=lock)
    return series if series is not None and series.stopped_at is None else None


async def _done(db: AsyncSession, reminder: Reminder) -> list[str]:
    """Take the later reminder back too. Returns the ids of alarms that are of no more use."""
    reminder.done_at = reminder.done_at or datetime.now(UTC)
    again = await snoozed(db, reminder)
    if again is None or again.state not in CANCELLABLE:
        return []
    again.state = State.CANCELLED
    return [again.job_id]


async def _snooze(
    db: AsyncSession, reminder: Reminder, account: Account | None, at: datetime, counts: bool
) -> list[str]:
    """Set the later reminder. A second choice moves it, as long as it is not being sent.

    Returns the ids of alarms that are of no more use.
    """
    if await db.scalar(select(Reminder.id).where(Reminder.id == reminder.id, may_be_mailed())) is None:
        raise Refused("no-consent", NO_CONSENT)
    if not reminder.text:
        raise Refused("erased", "Its text was erased, because it was sent long ago.")
    again = await snoozed(db, reminder)
    if again is None:
        await _add(db, reminder, account, at, counts)
        alarms = []
    else:
        alarms = _move(again, at)
    reminder.done_at = None
    return alarms


def _move(again: Reminder, at: datetime) -> list[str]:
    """Each move makes a revision, so that counts them."""
    if again.state not in CANCELLABLE:
        raise Refused("sent-again", "It was already sent again. Use the links in that email.")
    if (again.date, again.state) == (at, State.SCHEDULED):
        return []
    if again.revision >= MOST_CHANGES:
        raise Refused("moved-too-often", f"It was changed {MOST_CHANGES} times, which is the limit.")
    before = again.job_id
    again.date, again.state = at, State.SCHEDULED
    return [before]


async def _add(db: AsyncSession, reminder: Reminder, account: Account | None, at: datetime, counts: bool) -> None:
    """Nothing that is refused counts against the author, so the count comes last."""
    if reminder.snoozes >= MOST_SNOOZES:
        raise Refused("too-many-snoozes", f"It was put off {MOST_SNOOZES} times, which is the limit.")
    if account is not None and not await limits.has_room(db, account):
        raise Refused("too-many", f"There are {limits.MOST_OPEN:,} upcoming reminders, which is the limit.")
    if account is not None and counts and (wait_s := await limits.take(account, reminder.email)):
        raise Refused("too-often", f"Too many reminders were set. Try again in {times.wait(wait_s)}.")
    again = Reminder(email=reminder.email, text=reminder.text, account_id=reminder.account_id, date=at)
    again.snooze_of, again.snoozes, again.series_id = reminder.id, reminder.snoozes + 1, reminder.series_id
    db.add(again)
