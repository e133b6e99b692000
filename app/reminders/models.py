"""What a reminder is, the states it can be in, and to whom it may be mailed."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    and_,
    event,
    exists,
    inspect,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts import Account
from app.database import Model
from app.reminders.consents.models import Answer, Consent

LONGEST_TEXT = 10_000  # characters

NO_CONSENT = "This address wants no reminders from you."
MISSED = "There was no consent when its time came, so it was not mailed."


class State(StrEnum):
    """Where a reminder stands. Only SCHEDULED, SENDING and WAITING lead on."""

    SCHEDULED = "scheduled"
    """Waits for its time, or for the next try."""

    SENDING = "sending"
    """Its text is being handed to the mail server: from before DATA until the answer is recorded."""

    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"

    WAITING = "waiting"
    """Its address has not yet agreed to get reminders from this account."""

    DECLINED = "declined"
    """Its address wants none from this account, or no more."""

    MISSED = "missed"
    """Its time came before the consent: it is not mailed late, and its author is told."""


OPEN = (State.SCHEDULED, State.SENDING, State.WAITING)
"""What may still be mailed."""


def _date(context: Any) -> datetime:
    """The first try of a new reminder is at its date."""
    date: datetime = context.get_current_parameters()["date"]
    return date


def _now() -> datetime:
    return datetime.now(UTC)


class Reminder(Model):
    """One reminder. `Reminder(date=..., email=..., text=...)`, added and committed, is mailed at `date`.

    Whoever changes date, email or text makes a new revision: an alarm of the old one does nothing.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        Index("ix_reminder_unarmed", "state", "armed_at", "next_try_at"),
        Index("ix_reminder_due", "state", "next_try_at"),
        Index("ix_reminder_account", "account_id", "date"),
        {"sqlite_autoincrement": True},  # the alarm of a deleted one never rings for another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    date: Mapped[datetime]
    email: Mapped[str] = mapped_column(String(254), index=True)
    text: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=_now)

    state: Mapped[str] = mapped_column(String(10), default=State.SCHEDULED)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """What went wrong at the last try; a sentence for the owner."""
    revision: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a mail server has answered "not now" to this revision."""
    next_try_at: Mapped[datetime] = mapped_column(default=_date)
    unreachable_since: Mapped[datetime | None]
    """Since when every try has found no mail server to talk to."""
    sent_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    """When its author was mailed that it was missed: set before that mail's text leaves."""

    armed_at: Mapped[datetime | None]
    """When its alarm was last put into Redis; None: it has none yet."""
    claims: Mapped[int] = mapped_column(default=0)
    """Counts the times it became SENDING: whoever holds another number than this has lost it."""
    claimed_until: Mapped[datetime | None]
    """Renewed by the worker that sends; when it lies in the past, that worker is dead."""
    uncertain: Mapped[int] = mapped_column(default=0)
    """How often nobody can say whether the mail of this revision went out."""

    def __repr__(self) -> str:
        return f"<Reminder {self.text[:20]!r}>"

    @property
    def job_id(self) -> str:
        """The id of its alarm: one for each revision."""
        return f"reminder:{self.id}:{self.revision}"

    @property
    def can_change(self) -> bool:
        """Not while it is being sent, and not once it was."""
        return self.state in (State.SCHEDULED, State.FAILED, State.WAITING, State.MISSED)


def may_be_mailed() -> ColumnElement[bool]:
    """For WHERE: it goes to its account's own address, or to one that has agreed, or a shell has made it."""
    own = select(Account.email).where(Account.id == Reminder.account_id).scalar_subquery()
    agreed = exists().where(
        Consent.account_id == Reminder.account_id,
        Consent.email == Reminder.email,
        Consent.answer == Answer.AGREED,
    )
    return or_(Reminder.account_id.is_(None), Reminder.email == own, agreed)


def owned_by(account: Account) -> ColumnElement[bool]:
    """The reminders of an account: those it made, and those that a shell made for its address."""
    made_elsewhere = and_(Reminder.account_id.is_(None), Reminder.email == account.email)
    return or_(Reminder.account_id == account.id, made_elsewhere)


@event.listens_for(Reminder, "before_update")
def _begin_new_revision(mapper: Any, connection: Any, reminder: Reminder) -> None:
    changed = inspect(reminder).attrs
    if not any(changed[name].history.has_changes() for name in ("date", "email", "text")):
        return
    reminder.revision += 1
    if reminder.state != State.WAITING:
        reminder.state = State.SCHEDULED
    reminder.next_try_at = reminder.date
    reminder.attempts = reminder.uncertain = 0
    reminder.reason = ""
    reminder.unreachable_since = reminder.armed_at = reminder.told_at = None
