"""The pages to sign in and out, and the page of the account."""

from __future__ import annotations

from quart import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import update

from app import database, mail_limits, security_log, times
from app.accounts import browsers, links, returning, sessions, zones
from app.accounts.access import public, signed_in
from app.accounts.models import Account
from app.accounts.tasks import send_sign_in_link
from app.context import site
from app.mail.address import AddressRefused
from app.web.rate_limits import RateLimitsUnavailable
from jobs.monitor_site.web.messages import Message, notify

NO_MAIL_NOW = Message("no-mail-now", "Email cannot be sent right now, so no link was sent. Try again in a minute.")
TOO_OFTEN = Message("too-often", "You can request another link in {}.")
LINK_IS_OVER = Message("link-over", "This link was already used, or it has expired. Request a new one.")
NO_SUCH_ZONE = Message("no-such-zone", "Unknown time zone. Choose one from the list.")

blueprint = Blueprint("accounts", __name__, template_folder="templates")


@blueprint.get("/sign-in")
@public
async def sign_in() -> ResponseReturnValue:
    if g.account:
        return redirect(_next_page(), 303)
    return await render_template("accounts/sign_in.html", reason=returning.reason(session))


@blueprint.post("/sign-in")
@public
async def ask_for_link() -> ResponseReturnValue:
    """Mail a link. The answer does not show whether the address has an account."""
    typed = (await request.form).get("email", "")[:1000]
    try:
        email = links.parse_address(typed, site())
    except AddressRefused as error:
        return await _sign_in_again(400, typed, error.message)
    async with database.session() as db:
        number = await links.account_number(db, email)
    known = number is not None or email == links.owner_address(site())
    try:  # known addresses skip the site's limit, so that strangers who use it up lock nobody out
        wait_s = await mail_limits.take("sign-in", recipient=email, shared=not known)
    except RateLimitsUnavailable:
        return await _sign_in_again(503, typed, NO_MAIL_NOW)
    if wait_s:
        page, status = await _sign_in_again(429, typed, TOO_OFTEN.format(times.wait(wait_s)))
        return page, status, {"Retry-After": str(wait_s)}
    async with database.transaction() as db:
        browser = browsers.name_of(request.headers.get("User-Agent", ""))
        link = await links.make_link(db, site().secret_key, email, browser=browser)
    try:
        await send_sign_in_link.delay(link.id)
    except Exception:
        current_app.logger.exception("the sign-in mail could not be queued")
        return await _sign_in_again(503, typed, NO_MAIL_NOW)
    security_log.note("sign_in_link_asked", number)
    return await render_template("accounts/link_sent.html", email=email)


@blueprint.get("/sign-in/<token>")
@public
async def open_link(token: str) -> ResponseReturnValue:
    """Changes nothing, because mail scanners open links too."""
    async with database.session() as db:
        link = await links.find_link(db, token)
    if link is None:
        return await _link_is_over()
    return await render_template("accounts/use_link.html", email=link.email)


@blueprint.post("/sign-in/<token>")
@public
async def use_link(token: str) -> ResponseReturnValue:
    zone = (await request.form).get("timezone", "")
    async with database.transaction() as db:
        zone = zones.canonical(zone) or site().timezone
        account, is_new = await links.use_link(db, token, zone)
        if account is not None:
            next_page = _next_page()  # before the session begins anew
            await sessions.start(db, account)
    if account is None:
        return await _link_is_over()
    if is_new:
        security_log.note("account_created", account.id)
    security_log.note("sign_in", account.id)
    return redirect(next_page, 303)


@blueprint.post("/sign-out")
@signed_in
async def sign_out() -> ResponseReturnValue:
    await sessions.end()
    security_log.note("sign_out")
    return await _signed_out(Message("signed-out", "You are signed out."))


@blueprint.post("/sign-out-everywhere")
@signed_in
async def sign_out_everywhere() -> ResponseReturnValue:
    await sessions.end(everywhere=True)
    security_log.note("sign_out_everywhere")
    return await _signed_out(Message("signed-out-everywhere", "You are signed out in every browser."))


@blueprint.get("/account")
@signed_in
async def show() -> ResponseReturnValue:
    return await _show()


@blueprint.post("/account")
@signed_in
async def save() -> ResponseReturnValue:
    zone = zones.canonical((await request.form).get("timezone", ""))
    if not zone:
        return await _show(NO_SUCH_ZONE), 400
    async with database.session() as db:
        await db.execute(update(Account).where(Account.id == sessions.current_account().id).values(timezone=zone))
        await db.commit()
    await notify(Message("saved", f"Saved. Times are now shown in {zone}."))
    return redirect(url_for("accounts.show"), 303)


async def _show(error: Message | None = None) -> str:
    zone = zones.canonical(sessions.current_account().timezone)
    return await render_template(
        "accounts/show.html", zone=zone, zones=zones.by_region(zone), same_zone=zones.names_of(zone), error=error
    )


async def _sign_in_again(status: int, typed: str, error: Message) -> tuple[str, int]:
    page = await render_template("accounts/sign_in.html", typed=typed, error=error, reason=returning.reason(session))
    return page, status


async def _link_is_over() -> ResponseReturnValue:
    if g.account:  # the user pressed the button twice, or opened the mail again
        return redirect(_next_page(), 303)
    return await _sign_in_again(410, "", LINK_IS_OVER)


async def _signed_out(message: Message) -> ResponseReturnValue:
    await notify(message)
    response = redirect(url_for("blog.index"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _next_page() -> str:
    """The page that sent this browser to sign in, or the first page."""
    return returning.take(session) or url_for("blog.index")
