"""Send some deliveries of a digest: over a few connections, each used for many mails, and no faster than allowed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, exists, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.context import site
from app.digest import mails
from app.digest.ledger import LostClaim, current_ledger
from app.digest.models import Delivery, Digest, State, Step
from app.mail import (
    GIVE_UP_AFTER,
    Connection,
    DeliveryFailed,
    FormLetter,
    HeaderRefused,
    Outcome,
    back_off,
    current_mailer,
)
from app.subscribers import states
from app.subscribers.models import Subscriber

log = logging.getLogger(__name__)

AT_ONCE = 2  # batches of all workers together
CONNECTIONS = 8  # of one batch
LARGEST = 500  # deliveries
LONGEST_S = 15  # it begins no mail later than this, so that a worker that stops needs to break none off
MORE_TRIES = 5
EVERY = timedelta(seconds=300)
MOST_FAILURES = 20  # one after the other

MAY_HAVE_ARRIVED = "The mail server broke off before it confirmed the mail: it may have arrived."


@dataclass(frozen=True)
class Recipient:
    """A delivery that waits, and what its mail needs."""

    pk: int
    attempts: int
    subscriber: Subscriber


def size() -> int:
    """As many as a batch can send in its time."""
    return max(min(int(_rate() * LONGEST_S), LARGEST), 1)


async def send_batch(digest_pk: int, first: int, last: int) -> None:
    """Send what is due among the deliveries with these ids; harmless to run twice, at once or later.

    What cannot be sent now stays as it is. A worker that dies leaves at most CONNECTIONS mails of it uncertain.
    """
    async with database.session() as db:
        digest = await db.get_one(Digest, digest_pk)
        recipients = await _due(db, digest, first, last)
        posts = await mails.posts_of(db, digest)
    if not recipients:
        return
    if not posts:
        return await pause(digest_pk, "All of its posts were taken back: there is nothing to send.")
    if failed := await current_mailer().check_if_away():
        return await note_host_fault(digest_pk, failed)
    try:
        letter = (await mails.write(posts, digest.more)).letter()
    except HeaderRefused as error:
        return await pause(digest_pk, str(error))
    batch = Batch(digest, letter, recipients)
    async with current_ledger().renewing():
        working = (batch.work() for _ in range(min(CONNECTIONS, len(recipients))))
        ended = await asyncio.gather(*working, return_exceptions=True)  # whatever one does, the others finish
    for fault in filter(None, ended):
        raise fault


class Batch:
    """What the connections of one batch share."""

    def __init__(self, digest: Digest, letter: FormLetter, recipients: deque[Recipient]) -> None:
        self._digest = digest
        self._letter = letter
        self._recipients = recipients
        self._ends_at = time.monotonic() + LONGEST_S
        self._next_at = 0.0
        self._halted = False
        self._failed_at = datetime.now(UTC)
        """When the last mail failed; at first, when it began."""
        self._said_well = False

    async def work(self) -> None:
        """Send one after the other over one connection, as long as there is something to send and the time for it."""
        with current_mailer().connection() as connection:
            while self._recipients and not self._over:
                recipient = self._recipients.popleft()
                await self._turn()
                if self._over:
                    return
                async with current_ledger().holding(recipient.pk):
                    await self._send(recipient, connection)

    @property
    def _over(self) -> bool:
        return self._halted or time.monotonic() >= self._ends_at

    async def _turn(self) -> None:
        """Wait until the rate allows another mail."""
        now = time.monotonic()
        mine = max(self._next_at, now)
        self._next_at = mine + 1 / _rate()
        await asyncio.sleep(mine - now)

    async def _send(self, recipient: Recipient, connection: Connection) -> None:
        ledger = current_ledger()
        try:
            message_id = mails.message_id(self._digest, recipient.pk)
            message = mails.copy(self._letter, recipient.subscriber, message_id)
            await current_mailer().send(
                message, over=connection, before_data=lambda: ledger.claim(recipient.pk)
            )
            # Shielded: what stops this worker now must not make the mail look as if nobody knew of it.
            await asyncio.shield(ledger.sent(recipient.pk))
            await self._note_success()
        except LostClaim:
            async with database.session() as db:
                state = await db.scalar(select(Digest.state).where(Digest.id == self._digest.id))
            if state != State.SENDING:
                self._halted = True
        except HeaderRefused as error:
            await self._settle(recipient, DeliveryFailed(Outcome.PERMANENT, str(error)))
        except DeliveryFailed as failed:
            await self._settle(recipient, failed)
        except OperationalError as error:
            log.warning("the database could not take delivery %s now: %s", recipient.pk, error.orig)
            self._halted = True

    async def _settle(self, recipient: Recipient, failed: DeliveryFailed) -> None:
        """What follows from each outcome; the table is in docs/mail.md."""
        if failed.outcome.host_fault:
            self._halted = True
            # Said instead of taking the text, it is about us all the same.
            with contextlib.suppress(LostClaim):
                async with database.transaction() as db:
                    await current_ledger().settle(recipient.pk, db, step=Step.WAITING)
            return await note_host_fault(self._digest.id, failed)
        attempts = recipient.attempts + (failed.outcome is not Outcome.UNCERTAIN)
        step, reason = Step.FAILED, failed.reason
        if failed.outcome is Outcome.UNCERTAIN:
            step, reason = Step.UNCERTAIN, MAY_HAVE_ARRIVED
        elif failed.outcome is Outcome.TRANSIENT and attempts <= MORE_TRIES:
            step = Step.WAITING
        values = {
            "step": step,
            "reason": reason,
            "attempts": attempts,
            "next_try_at": datetime.now(UTC) + EVERY,
        }
        since, self._failed_at = self._failed_at, datetime.now(UTC)
        with contextlib.suppress(LostClaim):
            async with database.transaction() as db:
                # The subscriber first: whoever deletes it at this moment locks them in this order, too.
                if failed.address_refused or failed.no_such_address:
                    await states.refused(db, recipient.subscriber.id, failed)
                await current_ledger().settle(recipient.pk, db, **values)
                if await _count_failure(db, self._digest.id, failed.reason, since):
                    self._halted = True

    async def _note_success(self) -> None:
        """What went wrong before is over. In SQL that is said once; the next failure finds out by itself."""
        if self._said_well:
            return
        self._said_well = True
        troubled = (Digest.failures > 0) | Digest.unreachable_since.is_not(None)
        async with database.session() as db:
            going = Digest.id == self._digest.id, Digest.state == State.SENDING
            well = update(Digest).where(*going, troubled)
            await db.execute(well.values(failures=0, unreachable_since=None, reason=""))
            await db.commit()


async def pause(digest_pk: int, reason: str) -> None:
    """It cannot go on without the owner."""
    async with database.transaction() as db:
        await _pause(db, digest_pk, reason)


async def note_host_fault(digest_pk: int, failed: DeliveryFailed) -> None:
    """A server that is away is waited for; one that refuses us needs the owner."""
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


async def _count_failure(db: AsyncSession, digest_pk: int, reason: str, since: datetime) -> bool:
    """Whether the digest has paused itself: so many in a row are no accident of single addresses.

    *since* is the failure before; a mail that any batch has sent after it begins a new row.
    """
    one_sent = exists().where(Delivery.digest_id == digest_pk, Delivery.sent_at > since)
    failures = case((one_sent, 1), else_=Digest.failures + 1)
    count = update(Digest).where(Digest.id == digest_pk).values(failures=failures)
    in_a_row = await db.scalar(count.returning(Digest.failures))
    if in_a_row is None or in_a_row < MOST_FAILURES:
        return False
    await _pause(db, digest_pk, f"{in_a_row} mails in a row have failed. The last: {reason}")
    return True


async def _due(db: AsyncSession, digest: Digest, first: int, last: int) -> deque[Recipient]:
    now = datetime.now(UTC)
    if digest.state != State.SENDING or digest.next_try_at > now:
        return deque()
    due = (
        Delivery.digest_id == digest.id,
        Delivery.id.between(first, last),
        Delivery.step == Step.WAITING,
        Delivery.next_try_at <= now,
    )
    columns = Delivery.id, Delivery.attempts, Subscriber
    query = select(*columns).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    rows = await db.execute(query.where(*due).order_by(Delivery.id))
    return deque(Recipient(*row) for row in rows)


def _rate() -> float:
    """Mails per second of one batch."""
    return site().digest_rate / AT_ONCE
