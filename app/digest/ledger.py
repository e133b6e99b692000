"""Claims and results of deliveries, in SQL. Writes from many connections share one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from quart import current_app
from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app import database
from app.digest.models import Delivery, Digest, State, Step
from app.mail import outbox
from app.mail.outbox import LostClaim
from app.subscribers.models import Subscriber, is_confirmed

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)  # a dead worker's deliveries become uncertain this much later
RENEW_S = 10

# Built once: building a statement takes longer than executing it.
_wanted = exists().where(Subscriber.id == Delivery.subscriber_id, is_confirmed())
_going = exists().where(Digest.id == Delivery.digest_id, Digest.state == State.SENDING)
_these = Delivery.id.in_(bindparam("pks", expanding=True))
_mine = (Delivery.step == Step.SENDING) & (Delivery.claimed_by == bindparam("me"))
CLAIM_THEM = (
    update(Delivery)
    .where(_these, Delivery.step == Step.WAITING, _wanted, _going)
    .values(step=Step.SENDING, claimed_by=bindparam("me"), claimed_until=bindparam("until"))
    .returning(Delivery.id)
)
# A subscriber who leaves at this moment waits for the claim, or the claim waits for them.
HOLD_READERS = (
    select(Subscriber.id)
    .join(Delivery, Delivery.subscriber_id == Subscriber.id)
    .where(_these)
    .order_by(Subscriber.id)
    .with_for_update(read=True, of=Subscriber)
)
RECORD_SENT = (
    update(Delivery)
    .where(_these, _mine)
    .values(step=Step.SENT, sent_at=bindparam("now"), reason="")
    .returning(Delivery.id)
)
RENEW = update(Delivery).where(_these, _mine).values(claimed_until=bindparam("until"))


def current_ledger() -> Ledger:
    """The ledger of the running app, shared by all its batches. Needs an app context."""
    ledger: Ledger = current_app.extensions.setdefault("digest_ledger", Ledger())
    return ledger


class Ledger:
    """The claims and results of one process."""

    def __init__(self) -> None:
        self._me = secrets.token_hex(8)
        self._claims: dict[int, asyncio.Future[bool]] = {}
        self._sent: dict[int, asyncio.Future[bool]] = {}
        self._held: Counter[int] = Counter()
        self._writing: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def holding(self, pk: int) -> AsyncIterator[None]:
        """Renew a claim made inside the block until the block ends, however long the server takes to answer."""
        self._held[pk] += 1
        try:
            yield
        finally:
            self._held[pk] -= 1
            self._held += Counter()  # drops the entries at 0

    async def claim(self, pk: int) -> None:
        """Claim before DATA. LostClaim: it was sent or claimed, its subscriber left, or the digest is paused."""
        if pk in self._claims or not await self._written(self._claims, pk):
            raise LostClaim(pk)

    async def sent(self, pk: int) -> None:
        """Record that the server has accepted it."""
        if not await self._written(self._sent, pk):
            log.error("delivery %s was taken over during its sending", pk)

    async def settle(self, pk: int, db: AsyncSession, **values: Any) -> None:
        """Record its result or its next try in the caller's transaction. LostClaim: another process has settled it."""
        untouched = Delivery.step == Step.WAITING
        mine = (Delivery.step == Step.SENDING) & (Delivery.claimed_by == self._me)
        still = Delivery.id == pk, untouched | mine
        changed = await db.execute(update(Delivery).where(*still).values(**values).returning(Delivery.id))
        if changed.scalar_one_or_none() is None:
            raise LostClaim(pk)

    def renewing(self) -> AbstractAsyncContextManager[None]:
        """Renew the claims of this process every 10 s inside the block."""
        return outbox.renewing(self._renew, RENEW_S)

    async def _written(self, wishes: dict[int, asyncio.Future[bool]], pk: int) -> bool:
        wishes[pk] = asyncio.get_running_loop().create_future()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await asyncio.shield(wishes[pk])

    async def _write(self) -> None:
        """Write until no caller waits. Requests that arrive during one transaction form the next one."""
        while self._claims or self._sent:
            claims, self._claims = self._claims, {}
            sent, self._sent = self._sent, {}
            try:
                async with database.current_database().writer.begin() as connection:
                    recorded = await self._record_sent(connection, list(sent))
                    taken = await self._claim(connection, list(claims))
            except Exception as error:
                for future in (*claims.values(), *sent.values()):
                    if not future.done():
                        future.set_exception(error)
                continue
            for wishes, granted in ((claims, taken), (sent, recorded)):
                for pk, future in wishes.items():
                    if not future.done():
                        future.set_result(pk in granted)

    async def _claim(self, connection: AsyncConnection, pks: list[int]) -> set[int]:
        if not pks:
            return set()
        if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
            await connection.execute(HOLD_READERS, {"pks": pks})
        until = datetime.now(UTC) + CLAIM
        return set(await connection.scalars(CLAIM_THEM, {"pks": pks, "me": self._me, "until": until}))

    async def _record_sent(self, connection: AsyncConnection, pks: list[int]) -> set[int]:
        if not pks:
            return set()
        now = datetime.now(UTC)
        return set(await connection.scalars(RECORD_SENT, {"pks": pks, "me": self._me, "now": now}))

    async def _renew(self) -> None:
        async with database.current_database().writer.begin() as connection:
            until = datetime.now(UTC) + CLAIM
            await connection.execute(RENEW, {"pks": list(self._held), "me": self._me, "until": until})
