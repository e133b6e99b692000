"""The consent of an address to reminders from an account."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model

ONE_REQUEST_PER = timedelta(hours=24)
"""For each address, across all accounts."""


class Answer(StrEnum):
    """The answer to a request. Reminders are mailed only after AGREED."""

    NONE = "none"
    AGREED = "agreed"
    DECLINED = "declined"


def _now() -> datetime:
    return datetime.now(UTC)


class Consent(Model):
    """One pair of account and address. Its tokens are derived from `nonce` and SECRET_KEY, and not stored."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("account_id", "email"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    """The account that asks. None if it was deleted within `ONE_REQUEST_PER` of its request."""
    email: Mapped[str] = mapped_column(String(254), index=True)
    """The address, parsed by `app.mail.address` and in lower case."""
    answer: Mapped[str] = mapped_column(String(10), default=Answer.NONE)
    nonce: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_urlsafe(24))
    created_at: Mapped[datetime] = mapped_column(default=_now)
    answered_at: Mapped[datetime | None]
    mail_due_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the request is to be mailed. None from before its DATA."""
    asked_at: Mapped[datetime | None]
    """When a request was last sent, or may have been sent."""
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why the request could not be mailed: a sentence for the account."""

    def __repr__(self) -> str:
        return f"<Consent {self.id} {self.answer}>"
