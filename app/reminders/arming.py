"""Set the alarms of reminders in Redis: at once when a page saves one, within a second when anything else commits one,
and again when Redis has lost one.

This guarantees that a committed reminder is mailed: every worker queries SQL each second for rows without an alarm, and
every 30 s for overdue rows and for alarms that Redis has lost. An extra alarm does nothing: it has the same job id as
the first one, and the row decides what to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update

from app import database
from app.mail import current_mailer
from app.reminders.advancing import advance_all, advance_due
from app.reminders.consents.tasks import mail_due
from app.reminders.models import MISSED, Reminder, State
from app.reminders.tasks import mail_authors, remind
from jobs import Result

log = logging.getLogger(__name__)

ARM_AHEAD = timedelta(hours=24)
TICK_S = 1.0
SWEEP_S = 30.0
MAX_ROWS = 500
OVERDUE = timedelta(seconds=60)
RELEASED_PER_SECOND = 10  # mails to a server that has just come back
MOST_RELEASED = 5_000  # in one sweep

BACK = "The mail server is back."


async def keep_armed() -> None:
    """Arm reminders every second, and sweep every 30 s, until cancelled, in every worker. Logs and survives faults."""
    next_sweep = 0.0
    clock = asyncio.get_running_loop().time
    fault = ""
    while True:
        try:
            if clock() >= next_sweep:
                next_sweep = clock() + SWEEP_S
                await sweep()
            await arm_new()
            await advance_due()
            fault = ""
        except Exception as error:
            if fault != (fault := f"{type(error).__name__}: {error}"):
                log.warning("cannot arm reminders, retrying every second: %s", fault)
        await asyncio.sleep(TICK_S)


async def arm(reminders: Sequence[Reminder]) -> None:
    """Set an alarm for each at its next try. An existing alarm stays as it is."""
    await asyncio.gather(
        *(
            remind.apply_async((reminder.id,), eta=reminder.next_try_at, task_id=reminder.job_id)
            for reminder in reminders
        )
    )
    now = datetime.now(UTC)
    async with database.session() as db:
        for revision, ids in _by_revision(reminders).items():
            rows = Reminder.id.in_(ids), Reminder.revision == revision  # skips those edited meanwhile
            await db.execute(update(Reminder).where(*rows).values(armed_at=now))
        await db.commit()


async def revoke(job_id: str) -> None:
    """Remove an alarm. One that stays does nothing."""
    try:
        await Result(job_id).revoke()
    except Exception as error:
        log.info("%s was not revoked: %s", job_id, error)


async def arm_new() -> int:
    """Arm the reminders that are due within a day and have no alarm. Returns their number."""
    due = datetime.now(UTC) + ARM_AHEAD
    return await _arm_all(Reminder.state == State.SCHEDULED, Reminder.armed_at.is_(None), Reminder.next_try_at <= due)


async def sweep() -> None:
    """Handle series, lost alarms, overdue reminders, those that wait for a server or for consent, and due requests."""
    await _disarm_if_forgotten()
    await _arm_overdue()
    await _release_waiting()
    await _close_missed()
    await mail_authors()
    await mail_due()
    await advance_all()


async def _disarm_if_forgotten() -> None:
    """Check the latest alarms, which a crash loses first, and the next ones. If one is lost, set all of them again."""
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
    log.warning("Redis has lost alarms of reminders, setting all of them again")


async def _arm_overdue() -> None:
    """Arm the overdue reminders again, whatever the state of their alarms."""
    late = datetime.now(UTC) - OVERDUE
    overdue = or_(
        and_(Reminder.state == State.SCHEDULED, Reminder.next_try_at < late),
        and_(Reminder.state == State.SENDING, Reminder.claimed_until < late),
    )
    async with database.session() as db:
        query = select(Reminder).where(overdue).order_by(Reminder.next_try_at).limit(MAX_ROWS)
        late_ones = (await db.scalars(query)).all()
    # The result of a failed run would occupy the id. A job that waits or runs stays.
    await asyncio.gather(*(Result(reminder.job_id).forget() for reminder in late_ones))
    if late_ones:
        await arm(late_ones)


async def _release_waiting() -> None:
    """If the mail server is back, send the reminders that wait for it: oldest first, RELEASED_PER_SECOND."""
    waiting = (Reminder.state == State.SCHEDULED, Reminder.unreachable_since.is_not(None), Reminder.reason != BACK)
    async with database.session() as db:
        query = select(Reminder).where(*waiting).order_by(Reminder.date).limit(MOST_RELEASED)
        found = (await db.scalars(query)).all()
    if not found or await current_mailer().check() is not None:
        return
    now = datetime.now(UTC)
    async with database.transaction() as db:
        for index, reminder in enumerate(found):
            reminder.next_try_at = now + timedelta(seconds=index / RELEASED_PER_SECOND)
            still = Reminder.id == reminder.id, Reminder.revision == reminder.revision, *waiting
            values = {"next_try_at": reminder.next_try_at, "reason": BACK, "armed_at": None}
            await db.execute(update(Reminder).where(*still).values(**values))
    # Move their alarms, which are minutes away, to now. arm_new() sets those that Redis has lost.
    await asyncio.gather(*(Result(reminder.job_id).reschedule(reminder.next_try_at) for reminder in found))


async def _close_missed() -> None:
    """Mark reminders as missed whose consent did not arrive in time."""
    missed = Reminder.state == State.WAITING, Reminder.date <= datetime.now(UTC)
    async with database.session() as db:
        await db.execute(update(Reminder).where(*missed).values(state=State.MISSED, reason=MISSED))
        await db.commit()


async def _arm_all(*which: ColumnElement[bool]) -> int:
    armed = 0
    while True:
        async with database.session() as db:
            query = select(Reminder).where(*which).order_by(Reminder.next_try_at).limit(MAX_ROWS)
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
