"""A subscriber of the digest, and the four states one can be in."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model


class State(StrEnum):
    """Only CONFIRMED ones get mail."""

    ASKED = "asked"
    """Somebody typed the address; the link in the confirmation mail was not used yet."""

    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"

    SUPPRESSED = "suppressed"
    """A mail server has refused the address for good; `reason` says how."""


def _now() -> datetime:
    return datetime.now(UTC)


class Subscriber(Model):
    """One address. Its links are made of `nonce` and SECRET_KEY, so the tokens stand nowhere."""

    __tablename__ = "subscriber"
    __table_args__ = (
        Index("ix_subscriber_state", "state", "id"),
        Index("ix_subscriber_mail_due", "mail_due_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Parsed by `app.mail.address`, lower case."""
    state: Mapped[str] = mapped_column(String(12), default=State.ASKED)
    nonce: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_urlsafe(24))
    created_at: Mapped[datetime] = mapped_column(default=_now)
    asked_at: Mapped[datetime | None]
    """When somebody last asked for a confirmation mail, and was given one."""
    mail_due_at: Mapped[datetime | None]
    """While that mail has not left: when a sweep looks after it. None from the moment before its text leaves."""
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it became UNSUBSCRIBED or SUPPRESSED."""
    reason: Mapped[str] = mapped_column(String(500), default="")
    """What a mail server said when it last refused the address; a sentence for the owner."""
    refusals: Mapped[int] = mapped_column(default=0)
    """How many mails to it were refused for good."""

    def __repr__(self) -> str:
        return f"<Subscriber {self.id} {self.state}>"


def is_confirmed() -> ColumnElement[bool]:
    """For WHERE: who gets the digest."""
    return Subscriber.state == State.CONFIRMED
