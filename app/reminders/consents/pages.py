"""The pages to answer a request and to stop reminders. GET shows, POST acts."""

from __future__ import annotations

from quart import Blueprint, abort, render_template, request
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import Account, current_account, public, signed_in
from app.context import site
from app.reminders.consents import answers, links
from app.reminders.consents.models import Consent
from jobs.monitor_site.web.csrf import without_csrf
from jobs.monitor_site.web.messages import Message

MOST_SHOWN = 500
GONE = Message(
    "no-such-link", "This link is not valid. It is incomplete, or the person who asked has deleted their account."
)

blueprint = Blueprint("consents", __name__, template_folder="templates")


@blueprint.get("/consents/")
@signed_in
async def index() -> ResponseReturnValue:
    """The consents of this account's address, and the consents to this account, newest first."""
    account = current_account()
    asked_by = (
        select(Consent, Account.email)
        .join(Account, Account.id == Consent.account_id)
        .where(Consent.email == account.email)
    )
    newest = Consent.id.desc()
    async with database.session() as db:
        mine = select(Consent).where(Consent.account_id == account.id).order_by(newest).limit(MOST_SHOWN)
        asked = (await db.scalars(mine)).all()
        askers = (await db.execute(asked_by.order_by(newest).limit(MOST_SHOWN))).all()
    rows = [(asker, consent, links.answer_url(consent, site())) for consent, asker in askers]
    return await render_template("consents/index.html", asked=asked, askers=rows)


@blueprint.get("/consents/<int(max=2147483647):pk>/<token>")
@public
async def show(pk: int, token: str) -> ResponseReturnValue:
    """Changes nothing, because mail scanners open links too."""
    return await _page("consents/answer.html", pk, token, links.ANSWER)


@blueprint.post("/consents/<int(max=2147483647):pk>/<token>")
@public
async def answer(pk: int, token: str) -> ResponseReturnValue:
    given = (await request.form).get("answer", "")
    act = {"agree": answers.agree, "decline": answers.decline}.get(given) or abort(400)
    async with database.transaction() as db:
        consent = await links.find(db, pk, token, links.ANSWER, site(), lock=True) or abort(404, GONE)
        await act(db, consent)
    return await _page("consents/answer.html", pk, token, links.ANSWER)


@blueprint.get("/no-more/<int(max=2147483647):pk>/<token>")
@public
async def show_stop(pk: int, token: str) -> ResponseReturnValue:
    """Changes nothing, for the same reason."""
    return await _page("consents/stop.html", pk, token, links.STOP)


@blueprint.post("/no-more/<int(max=2147483647):pk>/<token>")
@public
@without_csrf
async def stop(pk: int, token: str) -> ResponseReturnValue:
    """Decline. Mail programs POST here without a cookie, and want no redirect (RFC 8058). The token is the proof."""
    async with database.transaction() as db:
        consent = await links.find(db, pk, token, links.STOP, site(), lock=True) or abort(404, GONE)
        await answers.decline(db, consent)
    return await _page("consents/stop.html", pk, token, links.STOP)


async def _page(template: str, pk: int, token: str, purpose: str) -> ResponseReturnValue:
    async with database.session() as db:
        consent: Consent = await links.find(db, pk, token, purpose, site()) or abort(404, GONE)
        asker = await db.get(Account, consent.account_id)
    return await render_template(template, consent=consent, asker=asker)
