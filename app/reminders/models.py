"""A reminder, its states, and the condition to mail it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, and_, event, exists, inspect, or_, select
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from app.accounts import Account
from app.database import Model
from app.reminders.consents.models import Answer, Consent
from app.reminders.series import Series

LONGEST_TEXT = 10_000  # characters

NO_CONSENT = "This address wants no reminders from you."
MISSED = "There was no consent when its time came, so it was not mailed."


class State(StrEnum):
    """The state of a reminder. Only SCHEDULED, SENDING and WAITING change automatically."""

    SCHEDULED = "scheduled"
    """Waits for its time, or for the next try."""

    SENDING = "sending"
    """From before DATA until the answer of the mail server is recorded."""

    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"

    WAITING = "waiting"
    """Its address has not yet agreed to get reminders from this account."""

    DECLINED = "declined"
    """Its address has declined reminders from this account."""

    MISSED = "missed"
    """Its time came before the consent. It is not mailed late, and its author gets a mail."""


OPEN = (State.SCHEDULED, State.SENDING, State.WAITING)
"""The states from which a reminder may still be mailed."""


def _date(context: Any) -> datetime:
    """The first try of a new reminder: its date."""
    date: datetime = context.get_current_parameters()["date"]
    return date


def _now() -> datetime:
    return datetime.now(UTC)


class Reminder(Model):
    """One reminder. `Reminder(date=..., email=..., text=...)`, added and committed, is mailed at `date`.

    A change of date, email or text makes a new revision, and so does what schedules it again. Alarms of older revisions
    do nothing.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        Index("ix_reminder_unarmed", "state", "armed_at", "next_try_at"),
        Index("ix_reminder_due", "state", "next_try_at"),
        Index("ix_reminder_account", "account_id", "date"),
        Index("ix_reminder_slot", "series_id", "slot", unique=True),
        {"sqlite_autoincrement": True},  # no reuse of ids: the alarm of a deleted one would fit another
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    date: Mapped[datetime]
    email: Mapped[str] = mapped_column(String(254), index=True)
    text: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=_now)

    state: Mapped[str] = mapped_column(String(10), default=State.SCHEDULED)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why the last try failed: a sentence for the author."""
    revision: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a mail server has refused this revision for now."""
    next_try_at: Mapped[datetime] = mapped_column(default=_date)
    unreachable_since: Mapped[datetime | None]
    """Since when no try has reached a mail server."""
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was cancelled or declined, which may be years before its time."""
    told_at: Mapped[datetime | None]
    """When its author was mailed that it was missed. Set before the DATA of that mail."""

    armed_at: Mapped[datetime | None]
    """When its alarm was last set in Redis. None if it has none."""
    claims: Mapped[int] = mapped_column(default=0)
    """How often it became SENDING. A worker that has read another number has lost its claim."""
    claimed_until: Mapped[datetime | None]
    """Renewed by the worker that sends it. A time in the past means that the worker is dead."""
    uncertain: Mapped[int] = mapped_column(default=0)
    """How often a try of this revision ended with an unknown outcome."""

    done_at: Mapped[datetime | None]
    """When its reader marked it as done."""
    snooze_of: Mapped[int | None] = mapped_column(index=True, unique=True)
    """The reminder whose mail asked to send it again. One mail asks for one at most."""
    snoozes: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often it was put off, mail after mail."""

    series_id: Mapped[int | None]
    """The series that it is one time of."""
    slot: Mapped[datetime | None]
    """The time that the series gave it. Names it within the series; its author may change the date."""
    series: Mapped[Series | None] = relationship(
        primaryjoin=lambda: foreign(Reminder.series_id) == Series.id, viewonly=True, lazy="raise"
    )

    def __repr__(self) -> str:
        return f"<Reminder {self.text[:20]!r}>"

    @property
    def job_id(self) -> str:
        """The job id of its alarm. Each revision has its own."""
        return f"reminder:{self.id}:{self.revision}"

    @property
    def repeats(self) -> bool:
        """Whether it is the latest reminder of a series that goes on."""
        return self.series is not None and self.series.stopped_at is None and self.series.slot == self.slot

    @property
    def can_change(self) -> bool:
        """Whether the account may edit or cancel it: not during or after its sending."""
        return self.state in (State.SCHEDULED, State.FAILED, State.WAITING, State.MISSED)


def state_after(consent: Consent | None) -> State:
    """The state of a new reminder to an address with this consent. None: it was never asked."""
    states = {Answer.AGREED: State.SCHEDULED, Answer.DECLINED: State.DECLINED}
    return states.get(Answer(consent.answer), State.WAITING) if consent else State.WAITING


def may_be_mailed() -> ColumnElement[bool]:
    """For WHERE: to the account's own address, or to one that has agreed, or made in a shell."""
    own = select(Account.email).where(Account.id == Reminder.account_id).scalar_subquery()
    agreed = exists().where(
        Consent.account_id == Reminder.account_id, Consent.email == Reminder.email, Consent.answer == Answer.AGREED
    )
    return or_(Reminder.account_id.is_(None), Reminder.email == own, agreed)


def owned_by(account: Account) -> ColumnElement[bool]:
    """For WHERE: the reminders of an account, and those made in a shell for its address."""
    made_elsewhere = and_(Reminder.account_id.is_(None), Reminder.email == account.email)
    return or_(Reminder.account_id == account.id, made_elsewhere)


@event.listens_for(Reminder, "before_update")
def _begin_new_revision(mapper: Any, connection: Any, reminder: Reminder) -> None:
    changed = inspect(reminder).attrs
    if changed.state.history.has_changes() and reminder.state in (State.CANCELLED, State.DECLINED):
        reminder.ended_at = _now()
    again = changed.state.history.has_changes() and reminder.state == State.SCHEDULED
    if not again and not any(changed[name].history.has_changes() for name in ("date", "email", "text")):
        return
    reminder.revision += 1
    if reminder.state != State.WAITING:
        reminder.state = State.SCHEDULED
    reminder.next_try_at = reminder.date
    reminder.attempts = reminder.uncertain = 0
    reminder.reason = ""
    reminder.unreachable_since = reminder.armed_at = reminder.told_at = reminder.ended_at = None
