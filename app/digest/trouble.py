"""The digests that need the owner's attention, and why. For the banner on every page, and for one mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.digest import mails
from app.digest.models import Delivery, Digest, State, Step
from app.mail import current_mailer
from app.subscribers.models import Subscriber, is_confirmed
from jobs.monitor_site.web.messages import Message

TOO_LONG = timedelta(minutes=30)
FORGOTTEN_AFTER = timedelta(days=30)  # unsent mails of an older digest raise no banner


@dataclass(frozen=True)
class Trouble:
    """A digest that needs the owner's attention. `sentence` says why."""

    digest: Digest
    sentence: Message


async def all_of(db: AsyncSession) -> Sequence[Trouble]:
    """The troubles whose banner the owner has not dismissed."""
    digests = (await db.scalars(select(Digest).where(Digest.seen_at.is_(None), _suspect()))).all()
    found = [(digest, await sentence(db, digest)) for digest in digests]
    return [Trouble(digest, words) for digest, words in found if words]


async def sentence(db: AsyncSession, digest: Digest) -> Message | None:
    """What is wrong with the digest; None if nothing is."""
    if digest.state == State.PAUSED and digest.reason:
        return Message("paused", f"The digest was paused automatically. {digest.reason}")
    if digest.state in (State.PLANNED, State.SENDING) and datetime.now(UTC) - digest.began_at > TOO_LONG:
        return Message("slow", f"The digest is not finished after 30 minutes. {digest.reason}".strip())
    if digest.state != State.DONE:
        return None
    failed, uncertain = await _left_over(db, digest.id)
    if uncertain:
        they = "it" if uncertain == 1 else "them"
        return Message(
            "uncertain",
            f"It is not known whether {_mails(uncertain)} arrived. Mark {they} as sent, or send {they} again.",
        )
    return Message("failed", f"{_mails(failed)} could not be sent.") if failed else None


def _mails(count: int) -> str:
    return f"{count:,} email{'s' if count != 1 else ''} of the digest"


async def tell_owner(pk: int) -> None:
    """Mail the owner about it, unless mailed or resolved. Raises DeliveryFailed. All tries share a Message-ID."""
    async with database.session() as db:
        digest = await db.get_one(Digest, pk)
        words = await sentence(db, digest)
    if not words or digest.told_at is not None:
        return
    await current_mailer().send(await mails.trouble(digest, words))
    async with database.session() as db:
        still = Digest.id == pk, Digest.began_at == digest.began_at
        await db.execute(update(Digest).where(*still).values(told_at=datetime.now(UTC)))
        await db.commit()


def _suspect() -> ColumnElement[bool]:
    """For WHERE: digests that may be in trouble. They are few, so `sentence` can check each for every page."""
    unfinished = and_(Digest.state.in_((State.PLANNED, State.SENDING)), Digest.began_at < datetime.now(UTC) - TOO_LONG)
    paused = and_(Digest.state == State.PAUSED, Digest.reason != "")
    unsettled = Delivery.step.in_((Step.FAILED, Step.UNCERTAIN))
    left_over = and_(
        Digest.state == State.DONE,
        Digest.ended_at > datetime.now(UTC) - FORGOTTEN_AFTER,
        exists().where(Delivery.digest_id == Digest.id, unsettled),
    )
    return or_(unfinished, paused, left_over)


async def _left_over(db: AsyncSession, digest_pk: int) -> tuple[int, int]:
    """The numbers of failed mails to confirmed subscribers and of uncertain mails."""
    failed = case((and_(Delivery.step == Step.FAILED, is_confirmed()), 1), else_=0)
    uncertain = case((Delivery.step == Step.UNCERTAIN, 1), else_=0)
    query = select(func.sum(failed), func.sum(uncertain)).outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
    unsettled = Delivery.digest_id == digest_pk, Delivery.step.in_((Step.FAILED, Step.UNCERTAIN))
    row = (await db.execute(query.where(*unsettled))).one()
    return row[0] or 0, row[1] or 0
