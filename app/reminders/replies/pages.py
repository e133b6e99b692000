"""The page behind the links in a reminder's mail. GET shows, POST acts, and nobody needs to sign in."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import Blueprint, abort, render_template, request
from quart.typing import ResponseReturnValue

from app import database
from app.accounts import public
from app.reminders.models import State
from app.reminders.replies import acts
from app.reminders.replies.acts import Gone, Reply
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.csrf import without_csrf
from jobs.monitor_site.web.messages import Message, Refused

GONE = Message(
    "no-such-link", "This link is not valid. It is incomplete, or the reminder was changed or deleted since."
)

blueprint = Blueprint("replies", __name__, template_folder="templates")


@blueprint.get("/reminded/<int(max=2147483647):pk>/<token>")
@public
async def show(pk: int, token: str) -> ResponseReturnValue:
    """Changes nothing, because mail scanners open links too."""
    return await _page(pk, token)


@blueprint.post("/reminded/<int(max=2147483647):pk>/<token>")
@public
@without_csrf  # the token is the proof
async def answer(pk: int, token: str) -> ResponseReturnValue:
    """Carry out the reply in `do`. Sent twice, it changes nothing more."""
    typed = (await request.form).get("do", "")
    reply = Reply(typed) if typed in list(Reply) else abort(400)
    try:
        changed = await acts.act(pk, token, reply)
    except Gone:
        abort(404, GONE)
    except Refused as refused:
        return await _page(pk, token, refused.message), 429 if refused.message.code == "too-often" else 400
    return await _page(pk, token, did=reply, changed=changed)


async def _page(
    pk: int, token: str, error: Message | None = None, did: Reply | None = None, *, changed: bool = False
) -> str:
    now = datetime.now(UTC)
    async with database.session() as db:
        try:
            reminder = await acts.find(db, pk, token)
        except Gone:
            abort(404, GONE)
        zone = await acts.zone_of(db, reminder)
        again = await acts.snoozed(db, reminder)
        series = await acts.series_of(db, reminder, await acts.author(db, reminder))
    snoozes = {reply: moments.spelled(at, zone) for reply in Reply if (at := acts.later(reply, zone, now))}
    return await render_template(
        "replies/reply.html",
        reminder=reminder,
        snoozes=snoozes,
        again=again if again and again.state != State.CANCELLED else None,
        taken_back=again if again and again.state == State.CANCELLED else None,
        again_at=moments.spelled(again.date, zone) if again else "",
        series=series if series and series.stopped_at is None else None,
        stopped=series is not None and series.stopped_at is not None,
        changed=changed,
        chosen=request.args.get("do", ""),
        did=did,
        error=error,
    )
