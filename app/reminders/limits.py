"""Limits on the number of reminders: per account, per address, and for the whole site to other people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, mail_limits
from app.accounts import Account
from app.reminders.consents import answers
from app.reminders.consents.models import Consent
from app.reminders.models import OPEN, Reminder, State
from app.reminders.series import Series
from app.web.rate_limits import RateLimitsUnavailable

MOST_OPEN = 2_000  # upcoming reminders of one account
MOST_REPEATING = 50  # of one account: each of them is mailed at most once a day
MOST_TO_OTHERS = 20
PERIOD = timedelta(hours=24)


async def take(account: Account, email: str) -> int:
    """Count a reminder of *account* to *email*. Returns 0 if it is allowed, or the seconds to wait.

    Allows it while Redis is away, because SQL limits reminders too.
    """
    try:
        name = "reminder" if email == account.email else "reminder-to-others"
        return await mail_limits.take(name, account=account.id)
    except RateLimitsUnavailable:
        return 0


async def take_request(account: Account, email: str) -> int:
    """Count a request of *account* to *email*, if one is needed. Returns 0 if it is allowed, or the seconds to wait.

    Raises RateLimitsUnavailable if Redis does not answer.
    """
    async with database.session() as db:
        if not answers.needs_request(await answers.of_pair(db, account.id, email)):
            return 0
    return await mail_limits.take("consent", account=account.id)


async def has_room(db: AsyncSession, account: Account) -> bool:
    """Whether the account may have one more upcoming reminder. Call `hold(db, account)` before."""
    mine = Reminder.account_id == account.id, Reminder.state.in_(OPEN)
    return (await db.scalar(select(func.count()).where(*mine)) or 0) < MOST_OPEN


async def may_repeat(db: AsyncSession, account: Account) -> bool:
    """Whether the account may have one more repeating reminder. Call `hold(db, account)` before."""
    going_on = Series.account_id == account.id, Series.stopped_at.is_(None)
    return (await db.scalar(select(func.count()).where(*going_on)) or 0) < MOST_REPEATING


async def is_crowded(db: AsyncSession, account: Account, email: str, at: datetime, pk: int = 0) -> bool:
    """Whether *email* gets the maximum of reminders from others around this time, not counting *pk*."""
    if email == account.email:
        return False
    near = Reminder.date > at - PERIOD, Reminder.date < at + PERIOD
    mailed = Reminder.state.in_((State.SCHEDULED, State.SENDING, State.SENT)), Reminder.id != pk
    count = select(func.count()).where(*_from_others(email), *near, *mailed)
    return (await db.scalar(count) or 0) >= MOST_TO_OTHERS


async def wait_before(db: AsyncSession, reminder: Reminder) -> timedelta | None:
    """How long a due reminder must wait, because its address has got the maximum from others. None if it need not.

    The form refuses what it can foresee, but one consent may start many reminders at once. Call this in the
    transaction that claims the reminder: it locks the address, so claims of others wait for its end and count.
    """
    author = select(Account.email).where(Account.id == reminder.account_id)
    if reminder.account_id is None or await db.scalar(author) == reminder.email:
        return None
    await db.execute(select(Consent.id).where(Consent.email == reminder.email).order_by(Consent.id).with_for_update())
    now = datetime.now(UTC)
    lately = and_(Reminder.state == State.SENT, Reminder.sent_at > now - PERIOD)
    counted = Reminder.id != reminder.id, or_(lately, Reminder.state == State.SENDING)
    mailed = await db.scalars(select(Reminder.sent_at).where(*_from_others(reminder.email), *counted))
    latest = sorted((sent_at or now for sent_at in mailed), reverse=True)
    return latest[MOST_TO_OTHERS - 1] + PERIOD - now if len(latest) >= MOST_TO_OTHERS else None


def _from_others(email: str) -> tuple[ColumnElement[bool], ...]:
    """For WHERE: reminders to this address from other accounts."""
    own = select(Account.id).where(Account.email == email).scalar_subquery()
    return Reminder.email == email, Reminder.account_id != func.coalesce(own, 0)
