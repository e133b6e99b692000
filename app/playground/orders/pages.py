"""The page of the account's order, and the page behind the link in its mail. GET shows, POST acts."""

from __future__ import annotations

import secrets
from contextlib import suppress

from quart import Blueprint, abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue

from app import database, mail_limits, times
from app.accounts import Account, current_account, public, signed_in
from app.context import redis, site
from app.playground.orders import links, records
from app.playground.orders.records import ANSWER_WITHIN, Order
from app.playground.orders.tasks import CODE, order
from app.web import link_rates
from jobs import EventRefused, Result, monitor
from jobs.monitor_site.web.csrf import without_csrf
from jobs.monitor_site.web.error_pages import REDIS_AWAY
from jobs.monitor_site.web.messages import Message, notify

LONGEST_NOTE = 500
END_S = 1.5
"""How long an answer waits for the end of the order, to show that."""
OPEN = Message("open-order", "Your order is not over yet. Answer it first.")
TOO_OFTEN = Message("too-often", "Too many requests. Try again in {}.")
NO_LINK = Message("no-such-link", "This link is not valid. It is incomplete, or its account was deleted.")
ADDRESS = "/<int(max=2147483647):pk>/<int(max=99999999):number>/<token>"

blueprint = Blueprint("orders", __name__, template_folder="templates", url_prefix="/playground/order")


@blueprint.get("")
@signed_in
async def show() -> str:
    found = await _read(current_account())
    refresh = 0 if found is None or found.ended else 5 if found.until else 1
    return await render_template("orders/show.html", order=found, code=CODE, days=ANSWER_WITHIN.days, refresh=refresh)


@blueprint.post("")
@signed_in
async def start() -> ResponseReturnValue:
    """Start an order, if the account has none that is open."""
    account, back = current_account(), redirect(url_for("orders.show"), 303)
    found = await _read(account)
    if found is not None and not found.ended:
        await notify(OPEN, "warning")
        return back
    if wait_s := await mail_limits.take("order", account=account.id):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    job_id = records.job_id(account)
    await Result(job_id).forget()
    await order.apply_async((account.id, 10_000_000 + secrets.randbelow(89_999_999)), task_id=job_id)
    return back


@blueprint.get(ADDRESS)
@public
async def question(pk: int, number: int, token: str) -> ResponseReturnValue:
    """Changes nothing, because mail scanners open links too."""
    return await _answer_page(await _account_of(pk, number, token), number)


@blueprint.post(ADDRESS)
@public
@without_csrf  # the token is the proof
async def answer(pk: int, number: int, token: str) -> ResponseReturnValue:
    """Send the event. An order that was answered keeps its answer."""
    account, typed = await _account_of(pk, number, token), await request.form
    given = typed.get("answer", "")
    if given not in ("approve", "reject"):
        abort(400)
    if wait_s := await link_rates.take("order-answer", number):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    found = await _read(account)
    if found is not None and found.number == number and found.until:
        note = typed.get("note", "").strip()[:LONGEST_NOTE]
        value = {"approved": given == "approve", "by": "the link", "note": note}
        with suppress(EventRefused):  # it has just ended, and the page says how
            await monitor.send_event(redis(), found.job_id, "approval", value, by="the link", note=note)
        with suppress(TimeoutError):
            await Result(found.job_id).get(timeout=END_S, propagate=False)
    return await _answer_page(account, number)


async def _answer_page(account: Account, number: int) -> ResponseReturnValue:
    found = await _read(account)
    if found is not None and found.number != number:
        found = None  # a later one
    refresh = 1 if found and found.shown_state == "running" else 0
    words = {"order": found, "number": number, "longest": LONGEST_NOTE, "refresh": refresh}
    page = await render_template("orders/answer.html", **words)
    return page, 200 if found else 410


async def _account_of(pk: int, number: int, token: str) -> Account:
    async with database.session() as db:
        account: Account = await links.find(db, pk, number, token, site()) or abort(404, NO_LINK)
    return account


async def _read(account: Account) -> Order | None:
    try:
        return await records.read(account)
    except TimeoutError:
        abort(503, REDIS_AWAY)
