"""Stop a digest that cannot be sent now: it waits for the mail server, or is paused until the owner resumes it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import case, exists, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.digest.models import Delivery, Digest, State
from app.mail import GIVE_UP_AFTER, DeliveryFailed, Outcome, back_off

MOST_FAILURES = 20  # in a row


async def pause(digest_pk: int, reason: str) -> None:
    """Pause the digest until the owner resumes it."""
    async with database.transaction() as db:
        await _pause(db, digest_pk, reason)


async def note_host_fault(digest_pk: int, failed: DeliveryFailed) -> None:
    """Wait for a mail server that is away. Pause the digest if the server refuses the site's account."""
    async with database.transaction() as db:
        if failed.outcome is Outcome.ACCOUNT:
            return await _pause(db, digest_pk, failed.reason)
        digest = await db.get_one(Digest, digest_pk, with_for_update=True)
        now = datetime.now(UTC)
        digest.unreachable_since = digest.unreachable_since or now
        if now - digest.unreachable_since >= GIVE_UP_AFTER:
            return await _pause(db, digest_pk, f"Given up after 4 days. {failed.reason}")
        digest.reason = failed.reason
        digest.next_try_at = now + back_off(now - digest.unreachable_since)


async def _pause(db: AsyncSession, digest_pk: int, reason: str) -> None:
    going = Digest.id == digest_pk, Digest.state == State.SENDING
    await db.execute(update(Digest).where(*going).values(state=State.PAUSED, reason=reason))


async def count_failure(db: AsyncSession, digest_pk: int, reason: str, since: datetime) -> bool:
    """Count a failed mail, and pause the digest after MOST_FAILURES in a row. Returns whether it is paused.

    *since* is the moment of the previous failure. A mail that any batch has sent after it restarts the count.
    """
    one_sent = exists().where(Delivery.digest_id == digest_pk, Delivery.sent_at > since)
    failures = case((one_sent, 1), else_=Digest.failures + 1)
    count = update(Digest).where(Digest.id == digest_pk).values(failures=failures)
    in_a_row = await db.scalar(count.returning(Digest.failures))
    if in_a_row is None or in_a_row < MOST_FAILURES:
        return False
    await _pause(db, digest_pk, f"{in_a_row} mails in a row have failed. The last: {reason}")
    return True


async def note_success(digest_pk: int) -> None:
    """Clear the failures of the digest, because a mail was sent."""
    troubled = (Digest.failures > 0) | Digest.unreachable_since.is_not(None)
    async with database.session() as db:
        going = Digest.id == digest_pk, Digest.state == State.SENDING
        well = update(Digest).where(*going, troubled)
        await db.execute(well.values(failures=0, unreachable_since=None, reason=""))
        await db.commit()
