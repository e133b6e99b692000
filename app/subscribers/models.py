"""A subscriber of the digest, and its four states."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model


class State(StrEnum):
    """The state of a subscriber. Only CONFIRMED ones get the digest."""

    ASKED = "asked"
    """A visitor typed the address. The link in the confirmation mail is unused."""

    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"

    SUPPRESSED = "suppressed"
    """A mail server has refused the address for good. `reason` is its answer."""


WAITING = "waiting"
"""What pages and exports show as the state of an imported ASKED one that no mail was sent to yet."""


def _now() -> datetime:
    return datetime.now(UTC)


class Subscriber(Model):
    """One address. Its tokens are derived from `nonce` and SECRET_KEY, and not stored."""

    __tablename__ = "subscriber"
    __table_args__ = (
        Index("ix_subscriber_state", "state", "id"),
        Index("ix_subscriber_mail_due", "mail_due_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Parsed by `app.mail.address` and in lower case."""
    state: Mapped[str] = mapped_column(String(12), default=State.ASKED)
    nonce: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_urlsafe(24))
    created_at: Mapped[datetime] = mapped_column(default=_now)
    asked_at: Mapped[datetime | None]
    """When a confirmation mail was last requested and granted."""
    mail_due_at: Mapped[datetime | None]
    """When a sweep sends that mail, if it has not left before. None from before its DATA."""
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it became UNSUBSCRIBED or SUPPRESSED."""
    reason: Mapped[str] = mapped_column(String(500), default="")
    """The answer of the mail server that last refused the address: a sentence for the owner."""
    refusals: Mapped[int] = mapped_column(default=0)
    """How many mails to it mail servers have refused for good."""
    import_id: Mapped[int | None] = mapped_column(index=True)
    """The import that added it. Until its mail is tried, `asked_at` and `mail_due_at` are None."""

    def __repr__(self) -> str:
        return f"<Subscriber {self.id} {self.state}>"

    @property
    def shown_state(self) -> str:
        """Its state for the owner: as `shown_as` selects it."""
        is_waiting = self.import_id is not None and self.asked_at is None and self.state == State.ASKED
        return WAITING if is_waiting else self.state

    @property
    def job_id(self) -> str:
        """The id of the job that sends the confirmation mail. Each request has its own."""
        asked_ms = int((self.asked_at or self.created_at).timestamp() * 1000)
        return f"confirmation:{self.id}:{asked_ms}"


class Import(Model):
    """One file of addresses that the owner has imported."""

    __tablename__ = "subscriber_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=_now)
    added: Mapped[int] = mapped_column(default=0)
    """Addresses that the site did not know."""
    known: Mapped[int] = mapped_column(default=0)
    """Addresses that it knew, in any state. They get no mail."""
    stopped: Mapped[int] = mapped_column(default=0, server_default="0")
    """Addresses that were deleted before they were mailed, because the owner stopped it."""


class Forgotten(Model):
    """An address that no import adds again, as a keyed hash (see `forgotten.py`)."""

    __tablename__ = "subscriber_forgotten"

    hashed: Mapped[str] = mapped_column(String(43), primary_key=True)


class Kind(StrEnum):
    """What a subscriber did."""

    CONFIRMED = "confirmed"
    LEFT = "left"
    """Unsubscribed, or was deleted, while confirmed."""


class Movement(Model):
    """One subscriber came or went. Names nobody, so that it can outlive the subscriber."""

    __tablename__ = "subscriber_movement"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=_now, index=True)
    kind: Mapped[str] = mapped_column(String(10))
    issue: Mapped[int | None] = mapped_column(index=True)
    """The number of the issue whose link was used to leave."""


def is_confirmed() -> ColumnElement[bool]:
    """For WHERE: subscribers that get the digest."""
    return Subscriber.state == State.CONFIRMED
