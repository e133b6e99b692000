"""The calendar for other programs, and the page that gives out its address."""

from __future__ import annotations

import asyncio

from quart import Blueprint, Response, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from app import database, times
from app.accounts import current_account, hold, public, signed_in
from app.context import site
from app.mail.writing import mail_domain
from app.reminders.calendar import events, writing
from app.reminders.calendar.models import Calendar, reader
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.messages import Message, notify

AN_HOUR = 60
"""How often one calendar may be read."""
CACHED_S = 600
GONE = Message("no-such-calendar", "There is no calendar at this address. It may have another address now.")
TOO_OFTEN = Message("too-often", "Too many requests. Try again in {}.")
MADE = Message(
    "calendar-made", "Your calendar has a new address. An address that it had before does not work any more."
)
ENDED = Message("calendar-ended", "Your calendar has no address any more.")

blueprint = Blueprint("calendar", __name__, template_folder="templates", url_prefix="/reminders/calendar")


@blueprint.get("")
@signed_in
async def index() -> ResponseReturnValue:
    async with database.session() as db:
        calendar = await db.get(Calendar, current_account().id)
    return await render_template("calendar/index.html", calendar=calendar, url=calendar.url(site()) if calendar else "")


@blueprint.post("")
@signed_in
async def renew() -> ResponseReturnValue:
    """Make the address, or another one."""
    account = current_account()
    async with database.transaction() as db:
        if not await hold(db, account):
            abort(403)
        calendar = await db.get(Calendar, account.id) or Calendar(account_id=account.id)
        calendar.renew()
        db.add(calendar)
    await notify(MADE)
    return redirect(url_for("calendar.index"), 303)


@blueprint.post("/end")
@signed_in
async def end() -> ResponseReturnValue:
    async with database.transaction() as db:
        if calendar := await db.get(Calendar, current_account().id):
            await db.delete(calendar)
    await notify(ENDED)
    return redirect(url_for("calendar.index"), 303)


@blueprint.get("/<int(max=2147483647):pk>/<token>.ics")
@public
async def feed(pk: int, token: str) -> ResponseReturnValue:
    """The calendar. Calendar programs have no cookie: the address is the proof."""
    async with database.session() as db:
        account = await reader(db, pk, token, site()) or abort(404, GONE)
        if wait_s := await _wait_s(account.id):
            abort(429, TOO_OFTEN.format(times.wait(wait_s)))
        name, home = f"{site().site_name}: reminders", f"{site().base_url}{url_for('reminders.index')}"
        tag = await events.tag(db, account, name, home, mail_domain())
        known = request.if_none_match.contains_weak(tag)
        found = None if known else await events.of_account(db, account)
    content = await asyncio.to_thread(_write, found, name, home, mail_domain()) if found else b""
    response = Response(content, content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = 'inline; filename="reminders.ics"'
    response.headers["Cache-Control"] = f"private, max-age={CACHED_S}"
    response.headers["X-Robots-Tag"] = "noindex"
    response.set_etag(tag, weak=True)
    return await response.make_conditional(request)


def _write(found: events.Source, name: str, home: str, domain: str) -> bytes:
    return writing.write(found.events(), name=name, home=home, domain=domain)


async def _wait_s(account_id: int) -> int:
    """The seconds to wait, if it was read too often. Nothing is counted while Redis is away."""
    return await current_rate_limits().take_if_there(Limit("calendar", str(account_id), times=AN_HOUR, period_s=3600))
