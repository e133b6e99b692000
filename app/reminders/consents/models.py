"""What an address has answered to an account that wants to remind it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model

ONE_REQUEST_PER = timedelta(hours=24)
"""For each address, whoever asks."""


class Answer(StrEnum):
    """Only AGREED lets a mail out."""

    NONE = "none"
    AGREED = "agreed"
    DECLINED = "declined"


def _now() -> datetime:
    return datetime.now(UTC)


class Consent(Model):
    """One pair. Its links are made of `nonce` and SECRET_KEY, so the tokens stand nowhere."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("account_id", "email"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    """Who wants to remind. None: an account that was deleted within `ONE_REQUEST_PER` of its request."""
    email: Mapped[str] = mapped_column(String(254), index=True)
    """Who is reminded: parsed by `app.mail.address`, lower case."""
    answer: Mapped[str] = mapped_column(String(10), default=Answer.NONE)
    nonce: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_urlsafe(24))
    created_at: Mapped[datetime] = mapped_column(default=_now)
    answered_at: Mapped[datetime | None]
    mail_due_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the request is to be mailed. None from the moment before its text leaves."""
    asked_at: Mapped[datetime | None]
    """When a request last left, or may have left."""
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why the request could not be mailed; a sentence for the account."""

    def __repr__(self) -> str:
        return f"<Consent {self.id} {self.answer}>"
