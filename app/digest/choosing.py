"""Choose the posts and the recipients of the next digest, and create it in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.blog import Post
from app.blog.models import is_published
from app.digest import upcoming
from app.digest.models import Delivery, Digest, DigestPost, State, Step
from app.subscribers.models import Subscriber, is_confirmed

MOST_SHOWN = 20
FIRST_GOES_BACK = timedelta(days=7)
TO_UNDO = timedelta(seconds=30)
"""The owner can undo a digest for so long."""
MOST_A_DAY = 10
"""Digests. Later posts wait for the next day, or for Saturday."""


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """The published posts that are in no digest yet, by id: those that the digest shows, newest first, and the rest."""

    shown: Sequence[int]
    more: Sequence[int]
    """Left out, because there are too many. The mail gives their number."""
    too_old: Sequence[int]
    """Published long before the first digest. It takes them without mentioning them."""


async def choose(db: AsyncSession) -> Choice:
    """The posts that a digest created now would hold."""
    unsent = is_published() & ~exists().where(DigestPost.post_id == Post.id)
    newest_first = Post.published_at.desc(), Post.id.desc()
    found = (await db.execute(select(Post.id, Post.published_at).where(unsent).order_by(*newest_first))).all()
    is_first = await db.scalar(select(Digest.id).limit(1)) is None
    oldest = datetime.now(UTC) - FIRST_GOES_BACK
    new = [pk for pk, published_at in found if not is_first or (published_at and published_at > oldest)]
    return Choice(new[:MOST_SHOWN], new[MOST_SHOWN:], [pk for pk, _ in found[len(new) :]])


async def readers(db: AsyncSession) -> int:
    """How many subscribers would get a digest now."""
    return await db.scalar(select(func.count()).where(is_confirmed())) or 0


async def is_enough_for_today(db: AsyncSession) -> bool:
    """Whether the last 24 hours had the maximum number of digests."""
    since = datetime.now(UTC) - timedelta(days=1)
    lately = await db.scalar(select(func.count()).where(Digest.created_at > since))
    return (lately or 0) >= MOST_A_DAY


async def begin(run: str, *, wait: timedelta = timedelta()) -> int | None:
    """The id of the digest of this run: created by an earlier try, or now, with its posts and deliveries.

    With *wait* it is only planned: it begins that much later, and can be undone before.
    Returns None and writes nothing without new posts, without subscribers, or beyond the daily limit. A post that is
    committed later is in the next digest, even with an earlier publishing time.
    """
    try:
        async with database.transaction() as db:
            return await _of(db, run) or await _create(db, run, wait)
    except IntegrityError:  # on Postgres, another run took the same posts at the same moment
        async with database.session() as db:
            return await _of(db, run)


async def _of(db: AsyncSession, run: str) -> int | None:
    return await db.scalar(select(Digest.id).where(Digest.run == run))


async def _create(db: AsyncSession, run: str, wait: timedelta) -> int | None:
    following = await upcoming.hold(db)  # on Postgres: runs at one moment, one after the other
    choice = await choose(db)
    if not choice.shown or not await readers(db):
        return None
    if await is_enough_for_today(db):
        log.warning("no digest created: the limit is %s a day. The next digest will hold its posts", MOST_A_DAY)
        return None
    digest = Digest(run=run, more=len(choice.more), opening=following.opening)
    if wait:
        begins_at = (datetime.now(UTC) + wait).replace(microsecond=0)  # a job's time has no smaller parts than ms
        digest.state, digest.next_try_at = State.PLANNED, begins_at
    following.opening = ""
    db.add(digest)
    await db.flush()
    taken = [*choice.shown, *choice.more, *choice.too_old]
    shown = set(choice.shown)
    await db.execute(
        insert(DigestPost), [{"post_id": pk, "digest_id": digest.id, "shown": pk in shown} for pk in taken]
    )
    rows = select(
        literal(digest.id), Subscriber.id, literal(Step.WAITING.value), literal(""), literal(0),
        literal(digest.created_at, Delivery.next_try_at.type), literal(""),
    )  # fmt: skip
    columns = ["digest_id", "subscriber_id", "step", "reason", "attempts", "next_try_at", "claimed_by"]
    await db.execute(insert(Delivery).from_select(columns, rows.where(is_confirmed()).order_by(Subscriber.id)))
    return digest.id
