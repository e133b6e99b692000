"""The owner's pages of the digests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from quart import Blueprint, abort, g, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import Row, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, mail_limits, times
from app.accounts import current_account, owner_only
from app.accounts.access import is_owner
from app.digest import choosing, issues, steering, trouble, upcoming
from app.digest.models import Delivery, Digest, State, Step
from app.digest.tasks import send_test, start
from app.subscribers import growth
from app.subscribers.digest_schedule import next_digest_spelled
from app.subscribers.models import Subscriber
from app.web.rate_limits import RateLimitsUnavailable
from jobs.monitor_site.web.messages import Message, notify

MOST_LISTED = 100
MOST_FAILURES_LISTED = 100

# The action of each button, and its message with the number of changed deliveries.
ACTIONS: dict[str, tuple[steering.Action, Message]] = {
    "now": (steering.begin_now, Message("begun", "Started to send {}.")),
    "pause": (steering.pause, Message("paused", "Paused. {} wait until you resume.")),
    "resume": (steering.resume, Message("resumed", "Resumed. {} will be sent.")),
    "stop": (steering.stop, Message("stopped", "Stopped. {} will not be sent.")),
    "retry": (steering.retry_failed, Message("retried", "Started to retry {}.")),
    "sent": (steering.mark_sent, Message("marked-sent", "Marked as sent: {}.")),
    "again": (steering.send_again, Message("sent-again", "Started to send {} again.")),
}

TEST_SENT = Message("test-sent", "A test email is being sent to you.")
TOO_OFTEN = Message("too-often", "Too many requests. Try again in {}.")
QUEUE_AWAY = Message("queue-away", "Redis is not responding. A worker will pick this up when it does.")

MAILING = {"now", "resume", "retry", "again"}
"""The actions that send mails."""

log = logging.getLogger(__name__)
blueprint = Blueprint("digest", __name__, template_folder="templates", url_prefix="/digest")


@blueprint.get("/")
@owner_only
async def index() -> ResponseReturnValue:
    """What the next digest would hold, and the earlier digests, newest first."""
    return await index_page()


async def index_page(typed: str | None = None, error: Message | None = None) -> str:
    """The page, with the saved opening text or with what was typed in its place."""
    async with database.session() as db:
        choice, readers = await choosing.choose(db), await choosing.readers(db)
        digests = (await db.scalars(select(Digest).order_by(Digest.id.desc()).limit(MOST_LISTED))).all()
        counts = {digest.id: await _counts(db, digest.id) for digest in digests}
        left = await growth.left_by_issue(db, [digest.number for digest in digests if digest.number])
        number, saved = await upcoming.number(db), await upcoming.opening(db)
    return await render_template(
        "digest/index.html",
        digests=digests,
        counts=counts,
        left=left,
        new=len(choice.shown) + len(choice.more),
        readers=readers,
        number=number,
        opening=saved if typed is None else typed,
        error=error,
        longest=upcoming.LONGEST_OPENING,
        next_digest=next_digest_spelled(),
        stands_in="test" in request.args,
    )


@blueprint.get("/<int(max=2147483647):pk>")
@owner_only
async def show(pk: int) -> ResponseReturnValue:
    """The progress of a digest, its failures with reasons, and the possible actions."""
    async with database.session() as db:
        digest = await db.get(Digest, pk) or abort(404)
        counts = await _counts(db, pk)
        posts = await issues.posts_of(db, digest)
        words = await trouble.sentence(db, digest)
        unsettled = await _unsettled(db, pk)
        retries = await _number(db, *steering.can_be_retried(digest))
        number = digest.number or await upcoming.number(db)
        left = await growth.left_by_issue(db, [number])
    return await render_template(
        "digest/show.html",
        digest=digest,
        number=number,
        now=datetime.now(UTC),
        refresh=2 if digest.state in (State.PLANNED, State.SENDING) else 0,
        counts=counts,
        left=left.get(number, 0),
        total=sum(counts.values()),
        posts=posts,
        trouble=words,
        unsettled=unsettled[:MOST_FAILURES_LISTED],
        unlisted=max(counts.get(Step.FAILED, 0) + counts.get(Step.UNCERTAIN, 0) - MOST_FAILURES_LISTED, 0),
        retries=retries,
    )


@blueprint.post("/<int(max=2147483647):pk>/test")
@owner_only
async def test(pk: int) -> ResponseReturnValue:
    """Send the mail to the owner only. 0 is the digest that would be created now."""
    if wait_s := await mail_limits.take("digest-test", account=current_account().id):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    await send_test.delay(pk or None)
    await notify(TEST_SENT)
    return redirect(url_for("digest.show", pk=pk) if pk else url_for("digest.index"), 303)


@blueprint.post("/<int(max=2147483647):pk>/<any(now,pause,resume,stop,retry,sent,again):action>")
@owner_only
async def act(pk: int, action: str) -> ResponseReturnValue:
    """Commit the change, then start the digest. If Redis is away, a worker starts it later."""
    do, message = ACTIONS[action]
    if action in MAILING and (wait_s := await _wait_s()):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    async with database.transaction() as db:
        digest = await db.get(Digest, pk, with_for_update=True) or abort(404)
        touched = await do(db, digest)
        goes_on = digest.state == State.SENDING
    await notify(message.format(f"{touched:,} email{'s' if touched != 1 else ''}"))
    if goes_on:
        await start_soon(pk)
    return redirect(url_for("digest.show", pk=pk), 303)


@blueprint.post("/<int(max=2147483647):pk>/seen")
@owner_only
async def seen(pk: int) -> ResponseReturnValue:
    """Dismiss its banner until the digest is started again."""
    async with database.transaction() as db:
        digest = await db.get(Digest, pk, with_for_update=True) or abort(404)
        digest.seen_at = datetime.now(UTC)
    return redirect(url_for("digest.show", pk=pk), 303)


@blueprint.app_context_processor
async def banners() -> dict[str, Any]:
    """The banners that base.html shows the owner on every page."""
    if not is_owner(g.get("account")):
        return {"digest_troubles": ()}
    try:
        async with database.session() as db:
            return {"digest_troubles": await trouble.all_of(db)}
    except OperationalError:  # the error page must still appear
        return {"digest_troubles": ()}


async def _wait_s() -> int:
    """Seconds until the owner may start a digest again. 0 while Redis, which counts, is away."""
    try:
        return await mail_limits.take("digest", account=current_account().id)
    except RateLimitsUnavailable:
        return 0


async def start_soon(pk: int, at: datetime | None = None) -> None:
    """Start its job now or at *at*. If Redis is away, a worker does it later."""
    try:
        await start(pk, at)
    except Exception as error:  # after any fault a worker finds the committed row
        log.warning("digest %s could not be started, a worker will start it: %s", pk, error)
        await notify(QUEUE_AWAY, "warning")


async def _counts(db: AsyncSession, pk: int) -> dict[str, int]:
    """How many deliveries are in each step."""
    query = select(Delivery.step, func.count()).where(Delivery.digest_id == pk).group_by(Delivery.step)
    return {step: count for step, count in await db.execute(query)}


async def _unsettled(db: AsyncSession, pk: int) -> Sequence[Row[Delivery, str]]:
    """The first failed and uncertain deliveries, with their addresses."""
    which = Delivery.digest_id == pk, Delivery.step.in_((Step.FAILED, Step.UNCERTAIN))
    query = select(Delivery, Subscriber.email).outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
    rows = await db.execute(query.where(*which).order_by(Delivery.id).limit(MOST_FAILURES_LISTED))
    return rows.all()


async def _number(db: AsyncSession, *which: Any) -> int:
    return await db.scalar(select(func.count()).select_from(Delivery).where(*which)) or 0
