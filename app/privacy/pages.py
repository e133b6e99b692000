"""The privacy page, the export of an account's data, and its deletion."""

from __future__ import annotations

import json

from quart import Blueprint, Response, abort, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue

from app import database, security_log, times
from app.accounts import current_account, public, signed_in
from app.accounts.links import KEEP_OLD_LINKS
from app.accounts.models import IDLE_LIFETIME, LINK_LIFETIME, LONGEST_LIFETIME
from app.privacy import deletion, export
from app.privacy.retention import UNSAVED
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.messages import Message, notify

EXPORTS_AN_HOUR = 5
TOO_OFTEN = Message("too-often", "Too many requests. Try again in {}.")
NOT_CONFIRMED = Message("not-confirmed", "Nothing was deleted. To confirm, type {}.")
DELETED = Message("account-deleted", "Your account and all its data have been deleted.")

blueprint = Blueprint("privacy", __name__, template_folder="templates")


@blueprint.get("/privacy")
@public
async def index() -> str:
    return await render_template(
        "privacy/index.html",
        link_minutes=LINK_LIFETIME.seconds // 60,
        link_days=KEEP_OLD_LINKS.days,
        idle_days=IDLE_LIFETIME.days,
        longest_days=LONGEST_LIFETIME.days,
        unsaved_days=UNSAVED.days,
    )


@blueprint.get("/account/data")
@signed_in
async def show() -> str:
    return await render_template("privacy/data.html")


@blueprint.post("/account/export")
@signed_in
async def download() -> ResponseReturnValue:
    """The account's data as a file. Rate limited, because many reminders make a hundred megabytes."""
    allowance = Limit("export", str(current_account().id), times=EXPORTS_AN_HOUR, period_s=3600)
    if wait_s := await current_rate_limits().take(allowance):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    async with database.session() as db:
        known = await export.of_account(db, current_account())
    security_log.note("data_exported")
    response = Response(json.dumps(known, indent=2, ensure_ascii=False), content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="account.json"'
    return response


@blueprint.post("/account/delete")
@signed_in
async def delete() -> ResponseReturnValue:
    account = current_account()
    typed = (await request.form).get("email", "")[:1000]
    if typed.strip(" ").lower() != account.email:
        security_log.note("deletion_refused")
        error = NOT_CONFIRMED.format(account.email)
        return await render_template("privacy/data.html", typed=typed, error=error), 400
    await deletion.delete_account(account)
    security_log.note("account_deleted")
    session.clear()
    await notify(DELETED)
    response = redirect(url_for("blog.index"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
