"""The owner's run of a digest now: asked first, and undone until it begins."""

from __future__ import annotations

import logging
import re
import secrets

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import owner_only
from app.digest import choosing, issues, steering
from app.digest.models import Digest, State
from app.digest.pages import blueprint, start_soon
from app.web.going_back import back_or
from app.web.template_words import reader_zone
from jobs import Result
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message, notify

NOTHING_NEW = Message("nothing-new", "No new posts since the last digest: nothing to send.")
NO_READERS = Message("no-readers", "No subscribers yet: nobody to send to.")
ENOUGH_TODAY = Message(
    "enough-today",
    f"{choosing.MOST_A_DAY} digests were sent within a day, which is the limit. Send the next one later.",
)
PLANNED = Message(
    "planned-already", "Issue {} is planned and has the new posts. It begins at {}; until then it can be undone."
)
WRONG_NUMBER = Message("wrong-number", "This is not the number of subscribers. To confirm, type {:,}.")
ON_ITS_WAY = Message("on-its-way", "Digest planned for {}.")
UNDONE = Message("undone", "Undone. No email was sent, and the posts are in the next issue.")
TOO_LATE = Message("too-late", "Too late to undo: sending has begun. You can still stop the rest.")

log = logging.getLogger(__name__)


@blueprint.get("/run")
@owner_only
async def ask_run() -> ResponseReturnValue:
    """Show number, subject and recipients, and a field to type the number of subscribers into."""
    return await _ask_run()


@blueprint.post("/run")
@owner_only
async def run_now() -> ResponseReturnValue:
    """Send a digest of the new posts soon, if the owner has typed the number of subscribers."""
    typed = (await request.form).get("typed", "")[:100]
    return await _ask_run(typed, sent=True)


async def _ask_run(typed: str = "", *, sent: bool = False) -> ResponseReturnValue:
    """Create it if *typed* is the number of subscribers. Otherwise ask for the number."""
    async with database.session() as db:
        choice, readers = await choosing.choose(db), await choosing.readers(db)
        enough = await choosing.is_enough_for_today(db)
        issue = await issues.of(db, None)
        planned = await db.scalar(select(Digest).where(Digest.state == State.PLANNED).limit(1))
    if planned and not choice.shown:
        await notify(PLANNED.format(issue.number, moments.clock(planned.next_try_at, reader_zone())), "warning")
        return redirect(url_for("digest.show", pk=planned.id), 303)
    if not choice.shown:
        return await _refuse(NOTHING_NEW)
    if not readers:
        return await _refuse(NO_READERS)
    if enough:
        return await _refuse(ENOUGH_TODAY)
    people = f"{readers:,} subscriber{'s' if readers != 1 else ''}"
    if sent and re.sub(r"[\s,.']", "", typed) == str(readers):
        return await _create(people)
    page = await render_template(
        "digest/run.html",
        number=issue.number,
        subject=issue.subject,
        new=len(choice.shown) + len(choice.more),
        readers=readers,
        people=people,
        undo_s=choosing.TO_UNDO.seconds,
        error=WRONG_NUMBER.format(readers) if sent else None,
    )
    return page, 400 if sent else 200


async def _create(people: str) -> ResponseReturnValue:
    """Commit the digest, then start its job, which waits. If Redis is away, a worker starts it later."""
    pk = await choosing.begin(f"digest-now:{secrets.token_hex(8)}", wait=choosing.TO_UNDO)
    if pk is None:  # another run was faster
        return await _refuse(NOTHING_NEW)
    await notify(ON_ITS_WAY.format(people))
    async with database.session() as db:
        digest = await db.get(Digest, pk)
    await start_soon(pk, digest.begins_at if digest else None)
    return redirect(url_for("digest.show", pk=pk), 303)


async def _refuse(why: Message) -> ResponseReturnValue:
    await notify(why, "warning")
    return redirect(url_for("digest.index"), 303)


@blueprint.post("/<int(max=2147483647):pk>/undo")
@owner_only
async def undo(pk: int) -> ResponseReturnValue:
    """Delete the digest, if its sending has not begun."""
    async with database.transaction() as db:
        digest = await db.get(Digest, pk, with_for_update=True) or abort(404)
        undone = await steering.undo(db, digest)
    if not undone:
        await notify(TOO_LATE, "warning")
        return redirect(url_for("digest.show", pk=pk), 303)
    try:
        await Result(digest.job_id).revoke()
    except Exception as error:  # the job finds no row, and ends
        log.warning("the job of the undone digest %s stays in Redis, without effect: %s", pk, error)
    await notify(UNDONE)
    return redirect(await back_or(url_for("digest.index")), 303)
