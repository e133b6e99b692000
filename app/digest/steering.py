"""The owner's actions on a digest. Most return how many deliveries they concern. The caller starts the sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.digest import upcoming
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers.models import Subscriber, is_confirmed

Action = Callable[[AsyncSession, Digest], Awaitable[int]]

STOPPED = "The digest was stopped before it was sent."


async def pause(db: AsyncSession, digest: Digest) -> int:
    """Send no further mail until the owner resumes it."""
    if digest.state == State.SENDING:
        digest.state, digest.reason = State.PAUSED, ""
    return await _count(db, digest, Step.WAITING)


async def resume(db: AsyncSession, digest: Digest) -> int:
    """Send all waiting deliveries now, even those that wait for a mail server or for their next try."""
    if digest.state in (State.PAUSED, State.SENDING):
        await _start(db, digest)
        waiting = _its(digest, Step.WAITING)
        await db.execute(update(Delivery).where(*waiting).values(next_try_at=datetime.now(UTC)))
    return await _count(db, digest, Step.WAITING)


async def stop(db: AsyncSession, digest: Digest) -> int:
    """End the digest. Waiting deliveries will not be sent. A mail in transfer at this moment still arrives."""
    if digest.state not in (State.SENDING, State.PAUSED):
        return 0
    digest.state, digest.ended_at, digest.reason = State.STOPPED, datetime.now(UTC), ""
    return await _move(db, _its(digest, Step.WAITING), step=Step.LEFT, reason=STOPPED)


async def undo(db: AsyncSession, digest: Digest) -> bool:
    """Delete a planned digest (locked), so that its posts and its opening text are for the next one.

    Returns False if its sending has begun.
    """
    if digest.state != State.PLANNED:
        return False
    await upcoming.give_back(db, digest.opening)
    await db.delete(digest)
    return True


async def begin_now(db: AsyncSession, digest: Digest) -> int:
    """Begin a planned digest, without the rest of the time in which it can be undone."""
    if digest.state == State.PLANNED:
        await _start(db, digest)
    return await _count(db, digest, Step.WAITING)


async def retry_failed(db: AsyncSession, digest: Digest) -> int:
    """Try the failed deliveries to confirmed subscribers again, with the full number of tries."""
    touched = await _move(db, can_be_retried(digest), step=Step.WAITING, attempts=0, next_try_at=datetime.now(UTC))
    if touched:
        await _start(db, digest)
    return touched


async def mark_sent(db: AsyncSession, digest: Digest) -> int:
    """Record the uncertain deliveries as sent."""
    values = {"step": Step.SENT, "sent_at": datetime.now(UTC)}
    return await _move(db, _its(digest, Step.UNCERTAIN), **values)


async def send_again(db: AsyncSession, digest: Digest) -> int:
    """Send the uncertain deliveries again, under the same Message-IDs. Some people may get the mail twice."""
    touched = await _move(db, _its(digest, Step.UNCERTAIN), step=Step.WAITING, next_try_at=datetime.now(UTC), reason="")
    if touched:
        await _start(db, digest)
    return touched


def can_be_retried(digest: Digest) -> tuple[ColumnElement[bool], ...]:
    """For WHERE: failed deliveries of this digest to confirmed subscribers."""
    wanted = exists().where(Subscriber.id == Delivery.subscriber_id, is_confirmed())
    return (*_its(digest, Step.FAILED), wanted)


async def _start(db: AsyncSession, digest: Digest) -> None:
    """It gets its number here, because a worker of the version before numbers may send it."""
    await upcoming.give_number(db, digest)
    now = datetime.now(UTC)
    digest.state, digest.reason, digest.failures = State.SENDING, "", 0
    digest.began_at, digest.next_try_at = now, now
    digest.unreachable_since = digest.ended_at = digest.told_at = digest.seen_at = None


def _its(digest: Digest, step: Step) -> tuple[ColumnElement[bool], ...]:
    return Delivery.digest_id == digest.id, Delivery.step == step


async def _count(db: AsyncSession, digest: Digest, step: Step) -> int:
    return await db.scalar(select(func.count()).select_from(Delivery).where(*_its(digest, step))) or 0


async def _move(db: AsyncSession, which: tuple[ColumnElement[bool], ...], **values: Any) -> int:
    moved = await db.execute(
        update(Delivery).where(*which).values(**values), execution_options={"synchronize_session": False}
    )
    assert isinstance(moved, CursorResult)
    return moved.rowcount
