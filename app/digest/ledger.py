"""Claims and results of deliveries, in SQL: what many connections write at about the same time is one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers.models import Subscriber, is_confirmed

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)  # after a worker's death, what it was sending is uncertain this much later
RENEW_S = 10


class LostClaim(Exception):
    """It is not this batch's to send: sent, failed, taken by another, or its subscriber has left."""


class Ledger:
    """What one batch claims and settles. `halted`: its digest is not being sent any more."""

    def __init__(self, digest_pk: int) -> None:
        self.halted = False
        self._digest_pk = digest_pk
        self._me = secrets.token_hex(8)
        self._claims: dict[int, asyncio.Future[bool]] = {}
        self._sent: dict[int, asyncio.Future[bool]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def claim(self, pk: int) -> None:
        """Before the text leaves. LostClaim: it may not leave. Whoever unsubscribed before this gets no mail."""
        if not await self._written(self._claims, pk):
            raise LostClaim(pk)

    async def sent(self, pk: int) -> None:
        """The server has taken it. Stubborn: a mail that went out and is not recorded is uncertain."""
        for patience in (True, True, True, True, False):
            try:
                if not await self._written(self._sent, pk):
                    log.error("delivery %s was taken over while it was sent", pk)
                return
            except OperationalError:
                if not patience:
                    raise
                await asyncio.sleep(1)

    async def settle(self, pk: int, db: AsyncSession, **values: Any) -> None:
        """Its end, or its next try, in a transaction of the caller's. LostClaim: somebody else has settled it."""
        untouched = Delivery.step == Step.WAITING
        mine = (Delivery.step == Step.SENDING) & (Delivery.claimed_by == self._me)
        still = Delivery.id == pk, untouched | mine
        changed = await db.execute(update(Delivery).where(*still).values(**values).returning(Delivery.id))
        if changed.scalar_one_or_none() is None:
            raise LostClaim(pk)

    @contextlib.asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """While it is open, say every 10 s that the batch lives: an answer may take eleven minutes."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _written(self, wishes: dict[int, asyncio.Future[bool]], pk: int) -> bool:
        wishes[pk] = asyncio.get_running_loop().create_future()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await asyncio.shield(wishes[pk])

    async def _write(self) -> None:
        """Until nobody waits: what has come in during one transaction is the next one."""
        while self._claims or self._sent:
            claims, self._claims = self._claims, {}
            sent, self._sent = self._sent, {}
            try:
                async with database.transaction() as db:
                    recorded = await self._record_sent(db, list(sent)) if sent else set()
                    taken = await self._claim(db, list(claims)) if claims else set()
            except Exception as error:
                for future in (*claims.values(), *sent.values()):
                    if not future.done():
                        future.set_exception(error)
                continue
            for wishes, granted in ((claims, taken), (sent, recorded)):
                for pk, future in wishes.items():
                    if not future.done():
                        future.set_result(pk in granted)

    async def _claim(self, db: AsyncSession, pks: list[int]) -> set[int]:
        # On Postgres whoever leaves at this moment waits for the claim, or the claim for them.
        readers = select(Subscriber.id).join(Delivery, Delivery.subscriber_id == Subscriber.id)
        share = readers.where(Delivery.id.in_(pks)).order_by(Subscriber.id)
        await db.execute(share.with_for_update(read=True, of=Subscriber))
        wanted = exists().where(Subscriber.id == Delivery.subscriber_id, is_confirmed())
        going = exists().where(Digest.id == Delivery.digest_id, Digest.state == State.SENDING)
        free = Delivery.id.in_(pks), Delivery.step == Step.WAITING
        values = {
            "step": Step.SENDING,
            "claimed_by": self._me,
            "claimed_until": datetime.now(UTC) + CLAIM,
        }
        claim = update(Delivery).where(*free, wanted, going).values(**values).returning(Delivery.id)
        taken = set(await db.scalars(claim, execution_options={"synchronize_session": False}))
        if len(taken) < len(pks):
            state = await db.scalar(select(Digest.state).where(Digest.id == self._digest_pk))
            self.halted = state != State.SENDING
        return taken

    async def _record_sent(self, db: AsyncSession, pks: list[int]) -> set[int]:
        values = {"step": Step.SENT, "sent_at": datetime.now(UTC), "reason": ""}
        mine = Delivery.id.in_(pks), Delivery.step == Step.SENDING, Delivery.claimed_by == self._me
        record = update(Delivery).where(*mine).values(**values).returning(Delivery.id)
        done = set(await db.scalars(record, execution_options={"synchronize_session": False}))
        troubled = (Digest.failures > 0) | Digest.unreachable_since.is_not(None)
        well = {"failures": 0, "unreachable_since": None}
        await db.execute(update(Digest).where(Digest.id == self._digest_pk, troubled).values(**well))
        return done

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            mine = Delivery.step == Step.SENDING, Delivery.claimed_by == self._me
            with contextlib.suppress(OperationalError):  # the next one may work, and the settling finds out
                async with database.session() as db:
                    until = datetime.now(UTC) + CLAIM
                    await db.execute(update(Delivery).where(*mine).values(claimed_until=until))
                    await db.commit()
