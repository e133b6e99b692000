"""A digest, its posts, and one delivery for each of its subscribers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model


class State(StrEnum):
    """The state of a digest. Mails leave only while it is SENDING."""

    PLANNED = "planned"
    """Created by the owner, who can undo it. It begins at `next_try_at`."""

    SENDING = "sending"

    PAUSED = "paused"
    """By the owner, or automatically, with a `reason`."""

    STOPPED = "stopped"
    """By the owner. The subscribers who have not got it will not get it."""

    DONE = "done"


class Step(StrEnum):
    """The state of a delivery. Only WAITING and SENDING change without the owner."""

    WAITING = "waiting"
    """Waits for its turn, or for the next try."""

    SENDING = "sending"
    """From before DATA until the answer of the mail server is recorded."""

    SENT = "sent"
    FAILED = "failed"

    UNCERTAIN = "uncertain"
    """The connection or the worker died between DATA and the answer. The owner decides."""

    LEFT = "left"
    """The subscriber left before it was sent, or the digest was stopped."""


def _now() -> datetime:
    return datetime.now(UTC)


class Digest(Model):
    """One digest. Created together with its posts and deliveries, in one transaction."""

    __tablename__ = "digest"
    __table_args__ = (Index("ix_digest_number", "number", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    """1, 2, 3 ... for its readers, given in the transaction that begins to send it. None before (see `recovery.py`)."""
    opening: Mapped[str] = mapped_column(Text, default="", server_default="")
    """A plain text by the owner, above the posts."""
    subject: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """That of the mails that were sent last. Empty before, and where an older version has sent them."""
    run: Mapped[str] = mapped_column(String(128), unique=True)
    """The id of the job that created it. A rerun of that job finds this digest and creates no other."""
    state: Mapped[str] = mapped_column(String(10), default=State.SENDING)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why it cannot be sent: a sentence for the owner."""
    more: Mapped[int] = mapped_column(default=0)
    """The number of its posts that the mail only counts, because it would be too long."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    began_at: Mapped[datetime] = mapped_column(default=_now)
    """When it was last started: created, or resumed by the owner."""
    ended_at: Mapped[datetime | None]

    round: Mapped[int] = mapped_column(default=0)
    """How many rounds have ended. In each round batches send all that is due."""
    failures: Mapped[int] = mapped_column(default=0)
    """How many mails have failed in a row, with none sent between them."""
    unreachable_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime] = mapped_column(default=_now)
    """The mail server is not tried again before this moment."""

    told_at: Mapped[datetime | None]
    """When the owner was mailed that it needs attention."""
    seen_at: Mapped[datetime | None]
    """When the owner dismissed its banner."""

    def __repr__(self) -> str:
        return f"<Digest {self.id} {self.state}>"

    @property
    def begins_at(self) -> datetime | None:
        """When it begins by itself, while the owner can undo it."""
        return self.next_try_at if self.state == State.PLANNED else None

    @property
    def job_id(self) -> str:
        """The id of the job that sends it."""
        return f"digest:{self.id}"

    @property
    def last_group_id(self) -> str:
        """The id of the group of batches of the round that runs, or of the last one. Empty before the first."""
        number = self.round if self.state == State.SENDING else self.round - 1
        return f"{self.job_id}:{number}" if self.number and number >= 0 else ""


class NextIssue(Model):
    """What the owner has prepared for the next digest: one row (see `upcoming.py`)."""

    __tablename__ = "next_issue"

    id: Mapped[int] = mapped_column(primary_key=True)
    opening: Mapped[str] = mapped_column(Text)


class DigestPost(Model):
    """A post of a digest. `post_id` is the key, so a post is in one digest at most."""

    __tablename__ = "digest_post"

    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    digest_id: Mapped[int] = mapped_column(ForeignKey("digest.id", ondelete="CASCADE"), index=True)
    shown: Mapped[bool]


class Delivery(Model):
    """One digest for one subscriber. The row outlives the subscriber, with `subscriber_id` None."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("digest_id", "subscriber_id"),
        Index("ix_delivery_step", "digest_id", "step", "id"),
        Index("ix_delivery_subscriber_id", "subscriber_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest_id: Mapped[int] = mapped_column(ForeignKey("digest.id", ondelete="CASCADE"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber.id", ondelete="SET NULL"))
    step: Mapped[str] = mapped_column(String(10), default=Step.WAITING)
    reason: Mapped[str] = mapped_column(String(500), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a mail server has refused it for now."""
    next_try_at: Mapped[datetime] = mapped_column(default=_now)
    claimed_by: Mapped[str] = mapped_column(String(32), default="")
    """The process that sends it. Any other process has lost the claim."""
    claimed_until: Mapped[datetime | None]
    """Renewed by that process. A time in the past means that the process is dead."""
    sent_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"<Delivery {self.id} {self.step}>"
