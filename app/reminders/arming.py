"""Put alarms into Redis: at once for what a page saves, within a second for what anything else commits, again for
whatever Redis has lost.

What guarantees that a committed reminder is mailed: every worker looks into SQL each second for rows without an
alarm, and each 30 s for those whose time has come and for alarms that Redis has forgotten. An alarm too many does
nothing: it has the same id as the one that is there, and the row decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update

from app import database
from app.mail import current_mailer
from app.reminders.consents.tasks import mail_due
from app.reminders.models import MISSED, Reminder, State
from app.reminders.tasks import remind, tell_authors
from jobs import Result

log = logging.getLogger(__name__)

AHEAD = timedelta(hours=24)
TICK_S = 1.0
SWEEP_S = 30.0
CHUNK = 500
OVERDUE = timedelta(seconds=60)
RELEASED_PER_SECOND = 10  # mails to a server that has just come back
MOST_RELEASED = 5_000  # in one sweep

BACK = "The mail server is back."


async def keep_armed() -> None:
    """Run in every worker until it is cancelled; any number may run at once. A fault is logged, never the end."""
    next_sweep = 0.0
    clock = asyncio.get_running_loop().time
    fault = ""
    while True:
        try:
            if clock() >= next_sweep:
                next_sweep = clock() + SWEEP_S
                await sweep()
            await arm_new()
            fault = ""
        except Exception as error:
            if fault != (fault := f"{type(error).__name__}: {error}"):
                log.warning("reminders could not be armed, trying again each second: %s", fault)
        await asyncio.sleep(TICK_S)


async def arm(reminders: Sequence[Reminder]) -> None:
    """Give each its alarm, at its next try. One that has it already keeps it."""
    await asyncio.gather(
        *(
            remind.apply_async((reminder.id,), eta=reminder.next_try_at, task_id=reminder.job_id)
            for reminder in reminders
        )
    )
    now = datetime.now(UTC)
    async with database.session() as db:
        for revision, ids in _by_revision(reminders).items():
            rows = Reminder.id.in_(ids), Reminder.revision == revision  # not those edited meanwhile
            await db.execute(update(Reminder).where(*rows).values(armed_at=now))
        await db.commit()


async def arm_new() -> int:
    """Arm what is due within a day and has no alarm yet; how many those were."""
    due = datetime.now(UTC) + AHEAD
    return await _arm_all(
        Reminder.state == State.SCHEDULED, Reminder.armed_at.is_(None), Reminder.next_try_at <= due
    )


async def sweep() -> None:
    """Find what Redis has lost, what is overdue, what waits for a mail server that has come back or for consent."""
    await _disarm_if_forgotten()
    await _arm_overdue()
    await _release_waiting()
    await _close_missed()
    await tell_authors()
    await mail_due()


async def _disarm_if_forgotten() -> None:
    """Ask Redis for the alarms set last (a crash loses those first) and those due next; one gone: all are doubtful."""
    armed = (Reminder.state == State.SCHEDULED, Reminder.armed_at.is_not(None))
    async with database.session() as db:
        newest = select(Reminder).where(*armed).order_by(Reminder.armed_at.desc()).limit(5)
        soonest = select(Reminder).where(*armed).order_by(Reminder.next_try_at).limit(5)
        sample = [*(await db.scalars(newest)), *(await db.scalars(soonest))]
    states = await asyncio.gather(*(Result(reminder.job_id).state() for reminder in sample))
    if "UNKNOWN" not in states:
        return
    async with database.session() as db:
        await db.execute(update(Reminder).where(*armed).values(armed_at=None))
        await db.commit()
    log.warning("Redis has lost alarms of reminders: all of them are set again")


async def _arm_overdue() -> None:
    """Whatever became of their alarms: it is past their time, and nobody sends them."""
    late = datetime.now(UTC) - OVERDUE
    overdue = or_(
        and_(Reminder.state == State.SCHEDULED, Reminder.next_try_at < late),
        and_(Reminder.state == State.SENDING, Reminder.claimed_until < late),
    )
    async with database.session() as db:
        query = select(Reminder).where(overdue).order_by(Reminder.next_try_at).limit(CHUNK)
        late_ones = (await db.scalars(query)).all()
    # A result that was kept, of a run that failed, would keep the id taken; a job that waits or runs stays.
    await asyncio.gather(*(Result(reminder.job_id).forget() for reminder in late_ones))
    if late_ones:
        await arm(late_ones)


async def _release_waiting() -> None:
    """If the mail server is back, let those go that wait for it: oldest first, not all at once."""
    waiting = (
        Reminder.state == State.SCHEDULED,
        Reminder.unreachable_since.is_not(None),
        Reminder.reason != BACK,
    )
    async with database.session() as db:
        query = select(Reminder).where(*waiting).order_by(Reminder.date).limit(MOST_RELEASED)
        found = (await db.scalars(query)).all()
    if not found or await current_mailer().check() is not None:
        return
    now = datetime.now(UTC)
    async with database.transaction() as db:
        for place, reminder in enumerate(found):
            reminder.next_try_at = now + timedelta(seconds=place / RELEASED_PER_SECOND)
            still = Reminder.id == reminder.id, Reminder.revision == reminder.revision, *waiting
            values = {"next_try_at": reminder.next_try_at, "reason": BACK, "armed_at": None}
            await db.execute(update(Reminder).where(*still).values(**values))
    # Their alarms are minutes away: they are set forward; one that Redis has lost is found by arm_new().
    await asyncio.gather(*(Result(reminder.job_id).reschedule(reminder.next_try_at) for reminder in found))


async def _close_missed() -> None:
    """The consent has not come in time."""
    missed = Reminder.state == State.WAITING, Reminder.date <= datetime.now(UTC)
    async with database.session() as db:
        await db.execute(update(Reminder).where(*missed).values(state=State.MISSED, reason=MISSED))
        await db.commit()


async def _arm_all(*which: ColumnElement[bool]) -> int:
    armed = 0
    while True:
        async with database.session() as db:
            query = select(Reminder).where(*which).order_by(Reminder.next_try_at).limit(CHUNK)
            some = (await db.scalars(query)).all()
        if not some:
            return armed
        await arm(some)
        armed += len(some)


def _by_revision(reminders: Sequence[Reminder]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for reminder in reminders:
        found.setdefault(reminder.revision, []).append(reminder.id)
    return found
