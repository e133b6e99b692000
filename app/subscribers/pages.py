"""The public pages to subscribe, confirm, unsubscribe and delete an address."""

from __future__ import annotations

from quart import Blueprint, abort, current_app, g, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app import database, mail_limits, times
from app.accounts import public
from app.accounts.links import parse_address
from app.context import site
from app.mail import AddressRefused
from app.security.timing import no_sooner_than
from app.subscribers import links, states
from app.subscribers.digest_schedule import next_digest_spelled
from app.subscribers.models import State, Subscriber
from app.subscribers.tasks import send_soon
from app.web.going_back import is_from_home
from app.web.rate_limits import RateLimitsUnavailable
from jobs.monitor_site.web.csrf import anonymous_form, without_csrf
from jobs.monitor_site.web.messages import Message, notify

NO_MAIL_NOW = Message(
    "no-mail-now", "Email cannot be sent right now, so you are not subscribed. Try again in a minute."
)
ASKED = Message("confirmation-sent", "Check your email: open the link in it to confirm your subscription.")
TOO_OFTEN = Message("too-often", "Too many requests. Try again in {}.")
LINK_IS_OVER = Message("link-over", "This link has expired, or it is incomplete. Request a new one here.")
ANSWER_S = 0.05
"""Several times the duration of storing a new address, which is the slowest case."""
NO_SUCH_LINK = Message(
    "no-such-link", "This link is not valid. It is incomplete, or the address was deleted and gets no email."
)

blueprint = Blueprint("subscribers", __name__, template_folder="templates")


@blueprint.app_context_processor
async def footer() -> dict[str, object]:
    """For base.html: the link that ends the subscription of the signed-in account. Empty if it has none."""
    account = g.get("account")
    if account is None:
        return {"unsubscribe_address": ""}
    wanted = Subscriber.email == account.email, Subscriber.state == State.CONFIRMED
    try:
        async with database.session() as db:
            subscriber = await db.scalar(select(Subscriber).where(*wanted))
    except OperationalError:  # the error page must still appear
        subscriber = None
    return {"unsubscribe_address": links.unsubscribe_url(subscriber, site()) if subscriber else ""}


@blueprint.get("/subscribe")
@public
async def form() -> ResponseReturnValue:
    return await _form_page()


@blueprint.post("/subscribe")
@public
@anonymous_form
async def ask() -> ResponseReturnValue:
    """Request a subscription. The answer is the same for every address. A mail that cannot be queued is sent later."""
    typed = (await request.form).get("email", "")[:1000]
    try:
        email = parse_address(typed, site())
    except AddressRefused as error:
        return await _form_page(typed, error.message), 400
    try:
        wait_s = await mail_limits.take("subscribe", recipient=email)
    except RateLimitsUnavailable:
        return await _form_page(typed, NO_MAIL_NOW), 503
    if wait_s:
        page = await _form_page(typed, TOO_OFTEN.format(times.wait(wait_s)))
        return page, 429, {"Retry-After": str(wait_s)}
    async with no_sooner_than(ANSWER_S):
        async with database.transaction() as db:
            subscriber = await states.ask(db, email)
        if subscriber is not None:
            await _queue(subscriber)
    if await is_from_home():
        await notify(ASKED)
        return redirect(url_for("blog.index"), 303)
    return await render_template("subscribers/asked.html", email=email)


@blueprint.get("/subscribe/<int(max=2147483647):pk>/<token>")
@public
async def open_link(pk: int, token: str) -> ResponseReturnValue:
    """Changes nothing: mail scanners open links too."""
    async with database.session() as db:
        subscriber = await links.find_asked(db, pk, token, site())
    return await _confirm_page(subscriber)


@blueprint.post("/subscribe/<int(max=2147483647):pk>/<token>")
@public
async def confirm(pk: int, token: str) -> ResponseReturnValue:
    async with database.transaction() as db:
        subscriber = await links.find_asked(db, pk, token, site())
        if subscriber is not None:
            states.confirm(db, subscriber)
    return await _confirm_page(subscriber)


@blueprint.get("/unsubscribe/<int(max=2147483647):pk>/<token>")
@public
async def leaving(pk: int, token: str) -> ResponseReturnValue:
    """Changes nothing: mail scanners open links too."""
    async with database.session() as db:
        subscriber = await links.find_subscribed(db, pk, token, site())
    return await _unsubscribe_page(subscriber, token)


@blueprint.post("/unsubscribe/<int(max=2147483647):pk>/<token>")
@public
@without_csrf
async def unsubscribe(pk: int, token: str) -> ResponseReturnValue:
    """Unsubscribe, with the button of the page or of a mail program (RFC 8058), which sends no cookie."""
    async with database.transaction() as db:
        subscriber = await links.find_subscribed(db, pk, token, site())
        if subscriber is not None:
            states.unsubscribe(db, subscriber, _issue())
    return await _unsubscribe_page(subscriber, token)


@blueprint.post("/unsubscribe/<int(max=2147483647):pk>/<token>/forget")
@public
async def forget(pk: int, token: str) -> ResponseReturnValue:
    """Delete the subscriber. Its deliveries keep their rows, without it."""
    async with database.transaction() as db:
        subscriber = await links.find_subscribed(db, pk, token, site())
        if subscriber is not None:
            await states.forget(db, subscriber, _issue())
    return await _unsubscribe_page(subscriber, token, forgotten=True)


async def _queue(subscriber: Subscriber) -> None:
    try:
        await send_soon(subscriber)
    except Exception:
        current_app.logger.exception("a confirmation mail could not be queued, the sweep will send it")


def _issue() -> int | None:
    """The number of the issue whose link was used, as the link says it."""
    number = request.args.get("issue", type=int) or 0
    return number if 0 < number < 2**31 else None


async def _form_page(typed: str = "", error: Message | None = None) -> str:
    return await render_template("subscribers/form.html", typed=typed, error=error, next_digest=next_digest_spelled())


async def _confirm_page(subscriber: Subscriber | None) -> ResponseReturnValue:
    if subscriber is None:
        return await _form_page(error=LINK_IS_OVER), 410
    return await render_template("subscribers/confirm.html", subscriber=subscriber, next_digest=next_digest_spelled())


async def _unsubscribe_page(
    subscriber: Subscriber | None, token: str, *, forgotten: bool = False
) -> ResponseReturnValue:
    if subscriber is None:
        abort(404, NO_SUCH_LINK)
    return await render_template(
        "subscribers/unsubscribe.html", subscriber=subscriber, token=token, issue=_issue(), forgotten=forgotten
    )
