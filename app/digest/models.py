"""A digest, the posts that it took, and one delivery for each of its subscribers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Model


class State(StrEnum):
    """Where a digest stands. Mails leave only while it is SENDING."""

    SENDING = "sending"

    PAUSED = "paused"
    """By the owner, or (`reason` says why) by itself."""

    STOPPED = "stopped"
    """The owner let nobody else get it."""

    DONE = "done"


class Step(StrEnum):
    """Where a delivery stands. Only WAITING and SENDING lead on by themselves."""

    WAITING = "waiting"
    """For its turn, or for the next try."""

    SENDING = "sending"
    """Its text is being handed to the mail server: from before DATA until the answer is recorded."""

    SENT = "sent"
    FAILED = "failed"

    UNCERTAIN = "uncertain"
    """The connection or the worker died between DATA and the answer. The owner decides."""

    LEFT = "left"
    """The subscriber left before it was sent, or the digest was stopped."""


def _now() -> datetime:
    return datetime.now(UTC)


class Digest(Model):
    """One digest. It has its posts and deliveries from the moment on that it exists."""

    __tablename__ = "digest"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(String(128), unique=True)
    """The job that created it: run again, that job finds this digest instead of making another."""
    state: Mapped[str] = mapped_column(String(10), default=State.SENDING)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """What keeps it from being sent, as a sentence for the owner."""
    more: Mapped[int] = mapped_column(default=0)
    """So many posts are in it without being shown: it would be too long."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    began_at: Mapped[datetime] = mapped_column(default=_now)
    """When it was last set going: created, or resumed by the owner."""
    ended_at: Mapped[datetime | None]

    round: Mapped[int] = mapped_column(default=0)
    """How often all that could be sent was given to batches."""
    failures: Mapped[int] = mapped_column(default=0)
    """How many mails have failed one after the other, without one that was sent between them."""
    unreachable_since: Mapped[datetime | None]
    next_try_at: Mapped[datetime] = mapped_column(default=_now)
    """Not before this moment is the mail server tried again."""

    told_at: Mapped[datetime | None]
    """When the owner was mailed that it needs somebody."""
    seen_at: Mapped[datetime | None]
    """When the owner put its banner away."""

    def __repr__(self) -> str:
        return f"<Digest {self.id} {self.state}>"

    @property
    def job_id(self) -> str:
        """The id of the job that sends it."""
        return f"digest:{self.id}"


class DigestPost(Model):
    """A post is in one digest at most, and in none twice: `post_id` is the key."""

    __tablename__ = "digest_post"

    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    digest_id: Mapped[int] = mapped_column(ForeignKey("digest.id", ondelete="CASCADE"), index=True)
    shown: Mapped[bool]


class Delivery(Model):
    """One digest for one subscriber. Whoever forgets the subscriber keeps the row, which then names nobody."""

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
    """How often a mail server has answered "not now"."""
    next_try_at: Mapped[datetime] = mapped_column(default=_now)
    claimed_by: Mapped[str] = mapped_column(String(32), default="")
    """The batch that sends it; whoever is another one has lost it."""
    claimed_until: Mapped[datetime | None]
    """Renewed by that batch; when it lies in the past, its worker is dead."""
    sent_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"<Delivery {self.id} {self.step}>"
