"""Send a digest in rounds: each divides the due deliveries into batches, until none is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.digest import batch, upcoming
from app.digest.models import Delivery, Digest, State, Step
from app.subscribers.models import Subscriber, is_confirmed

MIN_INTERVAL = timedelta(seconds=5)  # between rounds, even if deliveries are due
LAPSED = "The worker that sent it died before it heard whether the mail was taken: it may have arrived."
WENT = "The subscriber left before it was sent."


@dataclass(frozen=True)
class Round:
    """The batches of one round: the first and last id of each."""

    number: int
    batches: list[tuple[int, int]]


async def next_round(digest_pk: int) -> Round:
    """The deliveries that are due now. Empty if the digest is paused, stopped, done, undone or not yet due."""
    async with database.transaction() as db:
        digest = await db.get(Digest, digest_pk)
        if digest is not None and digest.number is None:
            digest = await _begin(db, digest_pk)
        if digest is None:
            return Round(0, [])
        await _tidy(db, digest_pk)
        if digest.state != State.SENDING or digest.next_try_at > datetime.now(UTC):
            return Round(digest.round, [])
        due = _of(digest_pk, Step.WAITING), Delivery.next_try_at <= datetime.now(UTC)
        pks = (await db.scalars(select(Delivery.id).where(*due).order_by(Delivery.id))).all()
    size = batch.size()
    parts = [pks[first : first + size] for first in range(0, len(pks), size)]
    return Round(digest.round, [(part[0], part[-1]) for part in parts])


async def end_round(digest_pk: int) -> timedelta | None:
    """End a round. Returns the wait until the next one; None if the digest is done, paused, stopped or undone."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        digest = await db.get(Digest, digest_pk, with_for_update=True)
        if digest is None:
            return None
        if digest.state == State.PLANNED:
            return max(digest.next_try_at - now, timedelta())
        await _tidy(db, digest_pk)
        digest.round += 1
        if digest.state != State.SENDING:
            return None
        next_try_at = await db.scalar(select(func.min(Delivery.next_try_at)).where(_of(digest_pk, Step.WAITING)))
        lapses_at = await db.scalar(select(func.min(Delivery.claimed_until)).where(_of(digest_pk, Step.SENDING)))
        moments = [moment for moment in (next_try_at, lapses_at) if moment is not None]
        if not moments:
            digest.state, digest.ended_at, digest.reason = State.DONE, now, ""
            return None
        return max(min(moments) - now, digest.next_try_at - now, MIN_INTERVAL)


async def _begin(db: AsyncSession, digest_pk: int) -> Digest | None:
    """Begin a planned digest whose time has come. What is sent has a number."""
    digest = await db.get(Digest, digest_pk, with_for_update=True, populate_existing=True)
    now = datetime.now(UTC)
    if digest is not None and digest.state == State.PLANNED and digest.next_try_at <= now:
        digest.state, digest.began_at = State.SENDING, now
    if digest is not None and digest.state == State.SENDING:
        await upcoming.give_number(db, digest)
    return digest


async def _tidy(db: AsyncSession, digest_pk: int) -> None:
    """Settle the deliveries of subscribers who have left and of dead workers, because no batch will."""
    wanted = exists().where(Subscriber.id == Delivery.subscriber_id, is_confirmed())
    left = update(Delivery).where(_of(digest_pk, Step.WAITING), ~wanted)
    await db.execute(left.values(step=Step.LEFT, reason=WENT))
    lapsed = update(Delivery).where(_of(digest_pk, Step.SENDING), Delivery.claimed_until < datetime.now(UTC))
    await db.execute(lapsed.values(step=Step.UNCERTAIN, reason=LAPSED))


def _of(digest_pk: int, step: Step) -> ColumnElement[bool]:
    return (Delivery.digest_id == digest_pk) & (Delivery.step == step)
