"""Request and answer consents, and change the reminders of the pair accordingly, in the caller's transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.reminders.consents.models import ONE_REQUEST_PER, Answer, Consent
from app.reminders.models import MISSED, NO_CONSENT, Reminder, State
from app.reminders.series import Series


async def of_pair(db: AsyncSession, account_id: int, email: str, *, lock: bool = False) -> Consent | None:
    """The consent of *email* to this account. None if it was never requested."""
    query = select(Consent).where(Consent.account_id == account_id, Consent.email == email)
    return (await db.scalars(query.with_for_update() if lock else query)).one_or_none()


def needs_request(consent: Consent | None) -> bool:
    """Whether to mail a request: there is no answer, none is due, and none was sent within a day."""
    if consent is None:
        return True
    if consent.answer != Answer.NONE or consent.mail_due_at is not None:
        return False
    return consent.asked_at is None or consent.asked_at <= datetime.now(UTC) - ONE_REQUEST_PER


async def ask(db: AsyncSession, account_id: int, email: str) -> Consent:
    """The pair's consent, locked. Makes its request due, at the address's next turn, if one is needed."""
    consent = await of_pair(db, account_id, email, lock=True)
    if consent is None:
        try:
            async with db.begin_nested():
                consent = Consent(account_id=account_id, email=email, answer=Answer.NONE)
                db.add(consent)
        except IntegrityError:  # two reminders to one new address at the same moment
            consent = await of_pair(db, account_id, email, lock=True)
            assert consent is not None
    if needs_request(consent):
        consent.mail_due_at = await next_turn(db, email)
        consent.reason = ""
    return consent


async def next_turn(db: AsyncSession, email: str) -> datetime:
    """When this address may get the next request, from any account: now, or a day after the last one."""
    last = await db.scalar(select(func.max(Consent.asked_at)).where(Consent.email == email))
    now = datetime.now(UTC)
    return max(now, last + ONE_REQUEST_PER) if last else now


async def agree(db: AsyncSession, consent: Consent) -> None:
    """Schedule the upcoming reminders of the pair. Those whose time has passed become MISSED."""
    _answer(consent, Answer.AGREED)
    now = datetime.now(UTC)
    waiting = (*_of(consent), Reminder.state == State.WAITING)
    await _move(db, (*waiting, Reminder.date <= now), state=State.MISSED, reason=MISSED)
    await _move(db, (*waiting, Reminder.date > now), state=State.SCHEDULED, reason="", armed_at=None)


async def decline(db: AsyncSession, consent: Consent) -> None:
    """Decline the open reminders of the pair, and end its series. After the commit no further mail of it is sent."""
    _answer(consent, Answer.DECLINED)
    now = datetime.now(UTC)
    repeats = Series.account_id == consent.account_id, Series.email == consent.email, Series.stopped_at.is_(None)
    ended = update(Series).where(*repeats).values(stopped_at=now, reason=NO_CONSENT)
    await db.execute(ended, execution_options={"synchronize_session": False})
    open_ = Reminder.state.in_((State.WAITING, State.SCHEDULED))
    await _move(db, (*_of(consent), open_), state=State.DECLINED, reason=NO_CONSENT, ended_at=now)


def _answer(consent: Consent, answer: Answer) -> None:
    consent.answer, consent.answered_at = answer, datetime.now(UTC)
    consent.mail_due_at, consent.reason = None, ""


def _of(consent: Consent) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Reminder.account_id == consent.account_id, Reminder.email == consent.email


async def _move(db: AsyncSession, which: tuple[ColumnElement[bool], ...], **values: object) -> None:
    await db.execute(update(Reminder).where(*which).values(**values), execution_options={"synchronize_session": False})
