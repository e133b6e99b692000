"""Delete an account and all its data at once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.accounts import Account, hold
from app.accounts.models import SignIn, SignInLink
from app.blog.unsaved.models import UnsavedText
from app.playground.orders import records as orders
from app.reminders.calendar.models import Calendar
from app.reminders.consents import answers
from app.reminders.consents.models import ONE_REQUEST_PER, Consent
from app.reminders.models import Reminder, State, owned_by
from app.reminders.series import Series
from app.subscribers import states
from app.subscribers.models import Subscriber
from jobs import Result

log = logging.getLogger(__name__)


async def delete_account(account: Account) -> None:
    """When this returns, only the data that the privacy page names is left, and no further mail is sent.

    Also removes the alarms and the order from Redis. If Redis is away they stay, and mail nobody when they are due.
    """
    async with database.transaction() as db:
        await hold(db, account)
        await _end_consents(db, account)
        jobs = [*await _delete_reminders(db, account), orders.job_id(account)]
        for subscriber in await db.scalars(select(Subscriber).where(Subscriber.email == account.email)):
            await states.forget(db, subscriber)
        await db.execute(delete(UnsavedText).where(UnsavedText.account_id == account.id))
        await db.execute(delete(SignInLink).where(SignInLink.email == account.email))
        await db.execute(delete(Calendar).where(Calendar.account_id == account.id))
        await db.execute(delete(SignIn).where(SignIn.account_id == account.id))
        await db.execute(delete(Account).where(Account.id == account.id))
    try:
        await asyncio.gather(*(_remove(job_id) for job_id in jobs))
    except Exception as error:
        log.warning("%s jobs of a deleted account stay in Redis, without effect: %s", len(jobs), error)


async def _end_consents(db: AsyncSession, account: Account) -> None:
    """Decline every consent for this address. Keep the account's own requests of the last day: they still count."""
    either = or_(Consent.email == account.email, Consent.account_id == account.id)
    # Lock them before the reminders, in the same order as `answers`.
    query = select(Consent).where(either).order_by(Consent.id).with_for_update()
    for consent in (await db.scalars(query)).all():
        if consent.email == account.email:
            await answers.decline(db, consent)
    earlier = datetime.now(UTC) - ONE_REQUEST_PER
    old = or_(Consent.asked_at.is_(None), Consent.asked_at <= earlier)
    await db.execute(delete(Consent).where(Consent.account_id == account.id, old))


async def _delete_reminders(db: AsyncSession, account: Account) -> list[str]:
    """Delete the account's reminders and their series. Returns the ids of their alarms."""
    await db.execute(delete(Series).where(Series.account_id == account.id))
    mine = owned_by(account)
    armed = Reminder.armed_at.is_not(None), Reminder.state.in_((State.SCHEDULED, State.SENDING))
    jobs = [reminder.job_id for reminder in await db.scalars(select(Reminder).where(mine, *armed))]
    await db.execute(delete(Reminder).where(mine), execution_options={"synchronize_session": False})
    return jobs


async def _remove(job_id: str) -> None:
    await Result(job_id).revoke()
    await Result(job_id).forget()
