"""Send a batch of a digest's deliveries over a few connections, within the rate limit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.context import site
from app.digest import issues, mails, pausing
from app.digest.ledger import current_ledger
from app.digest.models import Delivery, Digest, State, Step
from app.mail import Connection, DeliveryFailed, FormLetter, HeaderRefused, Outcome, Parcel, current_mailer, outbox
from app.mail.outbox import LostClaim, Outgoing
from app.subscribers import states
from app.subscribers.models import Subscriber

log = logging.getLogger(__name__)

AT_ONCE = 2  # batches of all workers together
CONNECTIONS = 8  # of one batch
LARGEST = 500  # deliveries
LONGEST_S = 15  # it begins no mail later than this, so that a stopping worker need not interrupt one
MORE_TRIES = 5
RETRY_INTERVAL = timedelta(seconds=300)

MAY_HAVE_ARRIVED = "The mail server broke off before it confirmed the mail: it may have arrived."


@dataclass(frozen=True)
class Recipient:
    """A waiting delivery, with the data for its mail."""

    pk: int
    attempts: int
    subscriber: Subscriber


def size() -> int:
    """How many deliveries a batch can send in its time."""
    return max(min(int(_rate() * LONGEST_S), LARGEST), 1)


async def send_batch(digest_pk: int, first: int, last: int) -> None:
    """Send the due deliveries among these ids. Safe to run twice, at the same time or later.

    Deliveries that cannot be sent now stay as they are. A dead worker leaves at most CONNECTIONS mails uncertain.
    """
    async with database.session() as db:
        digest = await db.get_one(Digest, digest_pk)
        recipients = await _due(db, digest, first, last)
        issue = await issues.of(db, digest)
    if not recipients:
        return
    if not issue.entries:
        return await pausing.pause(digest_pk, "All of its posts were taken back: there is nothing to send.")
    if failed := await current_mailer().check_if_away():
        return await pausing.note_host_fault(digest_pk, failed)
    try:
        letter = (await mails.write(issue)).letter()
    except HeaderRefused as error:
        return await pausing.pause(digest_pk, str(error))
    batch = Batch(digest, letter, issue.subject, recipients)
    async with current_ledger().renewing():
        working = (batch.work() for _ in range(min(CONNECTIONS, len(recipients))))
        ended = await asyncio.gather(*working, return_exceptions=True)  # if one fails, the others finish
    for fault in filter(None, ended):
        raise fault


class Batch:
    """State that the connections of one batch share."""

    def __init__(self, digest: Digest, letter: FormLetter, subject: str, recipients: deque[Recipient]) -> None:
        self.digest = digest
        self.letter = letter
        self._subject = subject
        self._recipients = recipients
        self._ends_at = time.monotonic() + LONGEST_S
        self._next_at = 0.0
        self.halted = False
        self.failed_at = datetime.now(UTC)
        """When the last mail failed. Initially when the batch began."""
        self._success_noted = False

    async def work(self) -> None:
        """Send over one connection until no recipient is left or the batch is over."""
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
        return self.halted or time.monotonic() >= self._ends_at

    async def _turn(self) -> None:
        """Wait until the rate allows another mail."""
        now = time.monotonic()
        mine = max(self._next_at, now)
        self._next_at = mine + 1 / _rate()
        await asyncio.sleep(mine - now)

    async def _send(self, recipient: Recipient, connection: Connection) -> None:
        copy = Copy(self, recipient)
        try:
            if await outbox.deliver(copy, over=connection):
                await self._note_success()
        except HeaderRefused as error:
            await copy.refused(DeliveryFailed(Outcome.PERMANENT, str(error)))
        except OperationalError as error:
            log.warning("the database could not record delivery %s now: %s", recipient.pk, error.orig)
            self.halted = True

    async def _note_success(self) -> None:
        """Clear earlier failures of the digest and keep its subject, once per batch.

        `count_failure` sees later successes in SQL.
        """
        if self._success_noted:
            return
        self._success_noted = True
        await pausing.note_success(self.digest.id)
        if self.digest.subject != self._subject:
            await issues.keep_subject(self.digest.id, self._subject)


class Copy(Outgoing):
    """The mail for one recipient."""

    def __init__(self, batch: Batch, recipient: Recipient) -> None:
        self._batch = batch
        self._recipient = recipient

    async def compose(self) -> Parcel:
        message_id = mails.message_id(self._batch.digest, self._recipient.pk)
        return mails.copy(self._batch.letter, self._recipient.subscriber, message_id, self._batch.digest.number)

    async def claim(self) -> None:
        await current_ledger().claim(self._recipient.pk)

    async def sent(self) -> None:
        await current_ledger().sent(self._recipient.pk)

    async def unreachable(self, failed: DeliveryFailed) -> None:
        """It concerns the whole digest: end the batch, and wait for the server or the owner."""
        self._batch.halted = True
        # An account-level refusal after DATA concerns the whole batch too, not this mail.
        with contextlib.suppress(LostClaim):
            async with database.transaction() as db:
                await current_ledger().settle(self._recipient.pk, db, step=Step.WAITING)
        await pausing.note_host_fault(self._batch.digest.id, failed)

    async def not_now(self, failed: DeliveryFailed) -> None:
        more = self._recipient.attempts < MORE_TRIES
        await self._settle(failed, Step.WAITING if more else Step.FAILED, failed.reason)

    async def refused(self, failed: DeliveryFailed) -> None:
        await self._settle(failed, Step.FAILED, failed.reason)

    async def uncertain(self, failed: DeliveryFailed) -> None:
        await self._settle(failed, Step.UNCERTAIN, MAY_HAVE_ARRIVED)

    async def lost(self) -> None:
        """The subscriber has left, or the digest is no longer being sent. In the second case end the batch."""
        digest_pk = self._batch.digest.id
        async with database.session() as db:
            state = await db.scalar(select(Digest.state).where(Digest.id == digest_pk))
        if state != State.SENDING:
            self._batch.halted = True

    async def _settle(self, failed: DeliveryFailed, step: Step, reason: str) -> None:
        pk, digest_pk, now = self._recipient.pk, self._batch.digest.id, datetime.now(UTC)
        attempts = self._recipient.attempts + (failed.outcome is not Outcome.UNCERTAIN)
        values = {"step": step, "reason": reason, "attempts": attempts, "next_try_at": now + RETRY_INTERVAL}
        since, self._batch.failed_at = self._batch.failed_at, now
        with contextlib.suppress(LostClaim):
            async with database.transaction() as db:
                # The subscriber first: a transaction that deletes it locks in the same order.
                if failed.address_refused or failed.no_such_address:
                    await states.refused(db, self._recipient.subscriber.id, failed)
                await current_ledger().settle(pk, db, **values)
                if await pausing.count_failure(db, digest_pk, failed.reason, since):
                    self._batch.halted = True


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
